// Max and average pooling over NHWC.
// Against pool2d.wgsl: a thread walks down a strip of WIDTH output columns. Each line of input is loaded once and reduced
// along the width; those of these lines that the next windows see too wait in registers. For a window of 3 × 3 that is 1.7
// loads an output instead of 9 with stride 1, and 4.8 with stride 2. The choice for stride 1 on software adapters, where
// loads are what costs, and on hardware for large maps, where the arithmetic of addresses is.
// Thread (i, s, b) computes output rows lines · s … of image b; i runs over blocks of columns × channels, channels innermost.
// Outside the image, coordinates are clamped for max and values weigh nothing for average, as there.
// Joined with pool2d-window.wgsl.

struct Params {
  height: u32,
  width: u32,
  channels: u32,      // in Values
  outHeight: u32,
  outWidth: u32,
  lines: u32,         // output rows of a strip
  top: i32,           // padding
  left: i32,
  bottomEnd: i32,     // height and width with the padding behind: windows are counted up to here
  rightEnd: i32,
  longest_loop: u32,
}

alias Value = f32;

@group(0) @binding(0) var<storage, read> image: array<Value>;
@group(0) @binding(1) var<storage, read_write> result: array<Value>;
@group(0) @binding(2) var<uniform> params: Params;

const KERNEL: u32 = 3u;
const STRIDE: u32 = 2u;
const AVERAGE: bool = false;
const COUNT_PADDING: bool = true;
const WIDTH: u32 = 4u;
const REACH: u32 = 9u;   // (WIDTH − 1) · STRIDE + KERNEL input columns
const KEPT: u32 = 4u;    // (KERNEL − STRIDE) · WIDTH: reduced values that the next windows see too
const LEAD: u32 = 1u;    // ⌈(KERNEL − STRIDE) / STRIDE⌉ rows before the first, whose lines its window sees

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let block = id.x / params.channels;
  let channel = id.x - block * params.channels;
  let firstX = block * WIDTH;
  if (firstX >= params.outWidth) { return; }
  let firstColumn = i32(firstX * STRIDE) - params.left;
  let height = i32(params.height);
  let width = i32(params.width);
  // What is the same for all lines: where a column lies in its line, and whether it lies inside.
  var offsets: array<u32, REACH>;
  var inside: array<bool, REACH>;
  for (var i = 0u; i < REACH; i++) { // unroll
    let column = firstColumn + i32(i);
    offsets[i] = u32(clamp(column, 0, width - 1)) * params.channels + channel;
    inside[i] = column >= 0 && column < width;
  }
  let lineLength = params.width * params.channels;
  let firstY = i32(id.y * params.lines);
  let end = min(firstY + i32(params.lines), i32(params.outHeight));
  var reduced: array<Value, KERNEL * WIDTH>;
  for (var y = firstY - i32(LEAD); y < end; y++) {
    for (var i = 0u; i < KEPT; i++) { // unroll
      reduced[i] = reduced[i + STRIDE * WIDTH];
    }
    for (var step = 0u; step < STRIDE; step++) { // unroll
      let row = y * i32(STRIDE) + i32(KERNEL - STRIDE + step) - params.top;
      let line = (id.z * params.height + u32(clamp(row, 0, height - 1))) * lineLength;
      let rowInside = row >= 0 && row < height;
      var values = array<Value, REACH>();
      for (var i = 0u; i < REACH; i++) { // unroll-memory
        let loaded = image[line + offsets[i]];
        values[i] = select(Value(0.0), loaded, !AVERAGE || (rowInside && inside[i]));
      }
      for (var i = 0u; i < WIDTH; i++) { // unroll
        var value = values[i * STRIDE];
        for (var tap = 0u; tap < KERNEL - 1u; tap++) { // unroll
          value = join(value, values[i * STRIDE + tap + 1u]);
        }
        reduced[KEPT + step * WIDTH + i] = value;
      }
    }
    if (y >= firstY) {
      let rows = counted(y * i32(STRIDE) - params.top, height, params.bottomEnd);
      let target_line = ((id.z * params.outHeight + u32(y)) * params.outWidth + firstX) * params.channels + channel;
      var outputs = array<Value, WIDTH>();
      for (var i = 0u; i < WIDTH; i++) { // unroll
        outputs[i] = reduced[i];
        for (var k = 0u; k < KERNEL - 1u; k++) { // unroll
          outputs[i] = join(outputs[i], reduced[k * WIDTH + WIDTH + i]);
        }
        if (AVERAGE) {
          outputs[i] *= 1.0 / f32(rows * counted(firstColumn + i32(i * STRIDE), width, params.rightEnd));
        }
      }
      for (var i = 0u; i < WIDTH; i++) { // unroll-memory
        if (firstX + i < params.outWidth) { result[target_line + i * params.channels] = outputs[i]; }
      }
    }
  }
}
