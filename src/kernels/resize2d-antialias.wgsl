// Shrinking by whole factors with antialiasing, over NHWC: bands.ts's `antialiasBands` along both axes at once.
// Against two passes of apply-bands.wgsl: nothing is stored between the axes, and each input line is loaded once. A window
// is twice the factor long, so a line belongs to two output rows: a thread that walks down a strip of WIDTH columns adds it,
// reduced along the width, to the sums of both. Weights are constants of the text; at the border they are divided by the
// sum of those inside. For a factor of 2 and WIDTH 8 that is 4.8 loads and one store an output instead of 15 and 3.
// Thread (i, s, b) computes output rows lines · s … of image b; i runs over blocks of columns × channels, channels innermost.

struct Params {
  height: u32,
  width: u32,
  channels: u32,    // in Values
  outHeight: u32,
  outWidth: u32,
  lines: u32,       // output rows of a strip
  longest_loop: u32,
}

alias Value = f32;

@group(0) @binding(0) var<storage, read> image: array<Value>;
@group(0) @binding(1) var<storage, read_write> result: array<Value>;
@group(0) @binding(2) var<uniform> params: Params;

const WIDTH: u32 = 8u;
const FACTOR_Y: u32 = 2u;
const FACTOR_X: u32 = 2u;
const ABOVE: i32 = 1;        // lines of the first window before line 0
const BEFORE: i32 = 1;       // likewise columns
const REACH: u32 = 18u;      // (WIDTH + 1) · FACTOR_X input columns

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let block = id.x / params.channels;
  let channel = id.x - block * params.channels;
  let firstX = block * WIDTH;
  if (firstX >= params.outWidth) { return; }
  let width = i32(params.width);
  let height = i32(params.height);
  // The same for all lines: where a column lies in its line, whether inside, and the sum of an output's weights.
  var offsets: array<u32, REACH>;
  var inside: array<bool, REACH>;
  var totals: array<f32, WIDTH>;
  for (var i = 0u; i < REACH; i++) { // unroll
    let column = i32(firstX * FACTOR_X + i) - BEFORE;
    offsets[i] = u32(clamp(column, 0, width - 1)) * params.channels + channel;
    inside[i] = column >= 0 && column < width;
  }
  for (var i = 0u; i < WIDTH; i++) { // unroll
    for (var tap = 0u; tap < 2u * FACTOR_X; tap++) { // unroll
      totals[i] += select(0.0, WEIGHTS_X[tap], inside[i * FACTOR_X + tap]);
    }
  }
  let firstY = id.y * params.lines;
  let end = min(firstY + params.lines, params.outHeight);
  var sums: array<Value, WIDTH>;
  var weight = 0.0;
  // The lines of step y end the window of row y − 1 and begin that of row y.
  for (var y = firstY; y <= end; y++) {
    var next = array<Value, WIDTH>();
    var nextWeight = 0.0;
    for (var step = 0u; step < FACTOR_Y; step++) { // unroll
      let row = i32(y * FACTOR_Y + step) - ABOVE;
      let line = (id.z * params.height + u32(clamp(row, 0, height - 1))) * params.width * params.channels;
      let rowInside = row >= 0 && row < height;
      let rising = select(0.0, WEIGHTS_Y[step], rowInside);
      let falling = select(0.0, WEIGHTS_Y[FACTOR_Y + step], rowInside);
      weight += falling;
      nextWeight += rising;
      var values = array<Value, REACH>();
      for (var i = 0u; i < REACH; i++) { // unroll-memory
        values[i] = select(Value(0.0), image[line + offsets[i]], inside[i]);
      }
      for (var i = 0u; i < WIDTH; i++) { // unroll
        var value = Value(0.0);
        for (var tap = 0u; tap < 2u * FACTOR_X; tap++) { // unroll
          value += WEIGHTS_X[tap] * values[i * FACTOR_X + tap];
        }
        sums[i] += falling * value;
        next[i] += rising * value;
      }
    }
    if (y > firstY) {
      let target_line = ((id.z * params.outHeight + y - 1u) * params.outWidth + firstX) * params.channels + channel;
      for (var i = 0u; i < WIDTH; i++) { // unroll-memory
        if (firstX + i < params.outWidth) { result[target_line + i * params.channels] = sums[i] * (1.0 / (weight * totals[i])); }
      }
    }
    sums = next;
    weight = nextWeight;
  }
}
