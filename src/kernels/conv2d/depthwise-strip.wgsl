// What both strip kernels of a depthwise 3 × 3 convolution share: which strip a thread has, and its lines of input.
// A thread walks down a strip of WIDTH output columns and `strip` output lines of four channels; neighbouring threads
// have neighbouring channels.

struct Params {
  count: u32, // threads
  longest_loop: u32,
  in_height: u32, in_width: u32,
  out_height: u32, out_width: u32,
  channels: u32, // in vec4
  padding_top: u32, padding_left: u32,
  strip: u32,   // output lines of a strip
  strips_x: u32, strips_y: u32,
  has_bias: u32, has_residual: u32, activation: u32,
}

@group(0) @binding(0) var<storage, read> input: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>; // [3, 3, channels]
@group(0) @binding(4) var<storage, read_write> result: array<vec4f>;
@group(0) @binding(5) var<uniform> params: Params;

struct Strip {
  channel: u32,
  x: u32, // first output column
  y: u32, // first output line
  image: u32,
}

fn strip_of(index: u32) -> Strip {
  let column = index / params.channels;
  let line = column / params.strips_x;
  var strip: Strip;
  strip.channel = index - column * params.channels;
  strip.x = (column - line * params.strips_x) * WIDTH;
  strip.image = line / params.strips_y;
  strip.y = (line - strip.image * params.strips_y) * params.strip;
  return strip;
}

fn weights_of(strip: Strip) -> array<vec4f, 9> {
  var weights: array<vec4f, 9>;
  for (var tap = 0u; tap < 9u; tap++) { // unroll-memory
    weights[tap] = weight[tap * params.channels + strip.channel];
  }
  return weights;
}

// The input values from column `x` on of line `y`, both of which may lie outside.
fn line_of(strip: Strip, y: u32, x: u32) -> array<vec4f, REACH> {
  var values: array<vec4f, REACH>;
  let line = (strip.image * params.in_height + y) * params.in_width;
  for (var i = 0u; i < REACH; i++) { // unroll-memory
    let inside = y < params.in_height && x + i < params.in_width;
    let at = select(0u, (line + x + i) * params.channels + strip.channel, inside);
    values[i] = select(vec4f(0.0), input[at], inside);
  }
  return values;
}

fn store_line(strip: Strip, y: u32, shift: vec4f, sums: array<vec4f, WIDTH>) {
  var values = sums;
  let line = (strip.image * params.out_height + y) * params.out_width;
  for (var i = 0u; i < WIDTH; i++) { // unroll-memory
    if (y < params.out_height && strip.x + i < params.out_width) {
      let index = (line + strip.x + i) * params.channels + strip.channel;
      result[index] = finish(values[i], shift, index);
    }
  }
}
