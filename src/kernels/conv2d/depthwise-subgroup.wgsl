// Depthwise 3 × 3 convolution by subgroups, what strides 1 and 2 share: depthwise-subgroup-1.wgsl and -2.wgsl.
// Against the strips of depthwise-strip.wgsl: the lanes of a subgroup have neighbouring columns of the same channels, so a
// value is loaded by one lane alone and its neighbours get it by a shuffle. That leaves 1.3 loads an output with stride 1
// and 4.3 with stride 2, of which a copy makes 1 and 4. The choice on lavapipe, where a load costs as much as eight shuffles.
// Joined with subgroup-strips.wgsl, a Value being four channels. Starting a workgroup costs as much as a few lines, so few of them have much to do.

struct Params {
  count: u32,    // strips
  share: u32,    // of them a workgroup computes
  strips_x: u32, strips_y: u32,
  lines: u32,    // output lines of a strip
  in_height: u32, in_width: u32,
  out_height: u32, out_width: u32,
  channels: u32, // in vec4
  padding_top: u32, padding_left: u32,
  has_bias: u32, has_residual: u32, activation: u32,
}

@group(0) @binding(0) var<storage, read> input: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>; // [3, 3, channels]
@group(0) @binding(4) var<storage, read_write> result: array<vec4f>;
@group(0) @binding(5) var<uniform> params: Params;

const SUBGROUP: u32 = 8u;

// All nine weights in all lanes, of which lane i loads number i, and the last by itself.
fn weights_of(strip: Strip, lane: u32) -> array<vec4f, 9> {
  let mine = weight[min(lane, 8u) * params.channels + strip.channel];
  var last = vec4f(0.0);
  if (lane == 0u) { last = weight[8u * params.channels + strip.channel]; }
  var weights: array<vec4f, 9>;
  for (var tap = 0u; tap < 8u; tap++) { // unroll
    weights[tap] = subgroupBroadcast(mine, tap);
  }
  weights[8] = subgroupBroadcast(last, 0u);
  return weights;
}

struct Column {
  offset: u32, // in its line, in vec4
  inside: bool,
}

fn input_column(strip: Strip, x: u32, wanted: bool) -> Column {
  return Column(x * params.channels + strip.channel, wanted && x < params.in_width);
}

fn output_column(strip: Strip, x: u32) -> Column {
  return Column(x * params.channels + strip.channel, x < params.out_width);
}

// A line of the input or the output, in vec4.
fn input_line(strip: Strip, y: u32) -> u32 {
  return (strip.image * params.in_height + y) * params.in_width * params.channels;
}

fn output_line(strip: Strip, y: u32) -> u32 {
  return (strip.image * params.out_height + y) * params.out_width * params.channels;
}

fn value_of(line: u32, column: Column, line_inside: bool) -> vec4f {
  var value = vec4f(0.0);
  if (line_inside && column.inside) { value = input[line + column.offset]; }
  return value;
}

fn put(line: u32, column: Column, shift: vec4f, sum: vec4f) {
  if (column.inside) { result[line + column.offset] = finish(sum, shift, line + column.offset); }
}
