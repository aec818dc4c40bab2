// Max and average pooling over NHWC by subgroups.
// Against pool2d-strip.wgsl: the lanes of a subgroup have neighbouring output columns of the same channels. Each loads the
// STRIDE columns that begin its window and gets the rest of it from its neighbours by shuffles, so that only those behind
// the last lane's are loaded twice. The choice on lavapipe, where a load costs as much as eight shuffles.
// Joined with pool2d-window.wgsl and subgroup-strips.wgsl.
// Outside the image, coordinates are clamped for max and values weigh nothing for average, as in pool2d.wgsl.

struct Params {
  count: u32,         // strips
  share: u32,         // of them a workgroup computes
  strips_x: u32,
  strips_y: u32,
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
}

alias Value = f32;

@group(0) @binding(0) var<storage, read> image: array<Value>;
@group(0) @binding(1) var<storage, read_write> result: array<Value>;
@group(0) @binding(2) var<uniform> params: Params;

const SUBGROUP: u32 = 8u;
const KERNEL: u32 = 3u;
const STRIDE: u32 = 2u;
const AVERAGE: bool = false;
const COUNT_PADDING: bool = true;
const KEPT: u32 = 1u;    // KERNEL − STRIDE reduced lines that the next windows see too
const LEAD: u32 = 1u;    // ⌈(KERNEL − STRIDE) / STRIDE⌉ rows before the first, whose lines its window sees

struct Column {
  offset: u32, // in its line
  inside: bool,
}

fn column_of(x: i32, channel: u32) -> Column {
  let last = i32(params.width) - 1;
  return Column(u32(clamp(x, 0, last)) * params.channels + channel, x >= 0 && x <= last);
}

fn value_of(line: u32, column: Column, rowInside: bool, wanted: bool) -> Value {
  var value = Value(0.0);
  if (wanted && (!AVERAGE || (rowInside && column.inside))) { value = image[line + column.offset]; }
  return value;
}

@compute @workgroup_size(SUBGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let first = (group.x + group.y * groups.x) * params.share;
  for (var index = first; index < min(first + params.share, params.count); index++) {
    let strip = strip_of(index, params.outHeight);
    let x = strip.x + lane;
    let firstY = i32(strip.y);
    let end = firstY + i32(strip.lines);
    let height = i32(params.height);
    let firstColumn = i32(x * STRIDE) - params.left;
    var own: array<Column, STRIDE>;
    var behind: array<Column, STRIDE>;
    for (var i = 0u; i < STRIDE; i++) { // unroll
      own[i] = column_of(firstColumn + i32(i), strip.channel);
      behind[i] = column_of(firstColumn + i32(STRIDE * SUBGROUP + i), strip.channel);
    }
    let lineLength = params.width * params.channels;
    var at = ((strip.image * params.outHeight + strip.y) * params.outWidth + x) * params.channels + strip.channel;
    var reduced = array<Value, KERNEL>(); // lines of the window, each reduced along the width
    for (var y = firstY - i32(LEAD); y < end; y++) {
      for (var i = 0u; i < KEPT; i++) { // unroll
        reduced[i] = reduced[i + STRIDE];
      }
      for (var step = 0u; step < STRIDE; step++) { // unroll
        let row = y * i32(STRIDE) + i32(KERNEL - STRIDE + step) - params.top;
        let line = (strip.image * params.height + u32(clamp(row, 0, height - 1))) * lineLength;
        let rowInside = row >= 0 && row < height;
        var values: array<Value, STRIDE>;
        var wrapped: array<Value, STRIDE>;
        for (var i = 0u; i < STRIDE; i++) { // unroll
          values[i] = value_of(line, own[i], rowInside, true);
          // What the windows of the last lanes see behind their own; it comes to them by way of the first ones.
          wrapped[i] = value_of(line, behind[i], rowInside, lane < (KERNEL - 1u - i) / STRIDE);
        }
        var value = values[0];
        for (var tap = 0u; tap < KERNEL; tap++) { // unroll
          if (tap > 0u && tap < STRIDE) { value = join(value, values[tap % STRIDE]); }
          if (tap >= STRIDE) {
            let from_lane = lane + tap / STRIDE;
            let held = select(values[tap % STRIDE], wrapped[tap % STRIDE], lane < tap / STRIDE);
            value = join(value, subgroupShuffle(held, from_lane % SUBGROUP));
          }
        }
        reduced[KEPT + step] = value;
      }
      if (y >= firstY) {
        var output = reduced[0];
        for (var i = 0u; i < KERNEL - 1u; i++) { // unroll
          output = join(output, reduced[i + 1u]);
        }
        if (AVERAGE) {
          let rows = counted(y * i32(STRIDE) - params.top, height, params.bottomEnd);
          output *= 1.0 / f32(rows * counted(firstColumn, i32(params.width), params.rightEnd));
        }
        if (x < params.outWidth) { result[at] = output; }
        at += params.outWidth * params.channels;
      }
    }
  }
}
