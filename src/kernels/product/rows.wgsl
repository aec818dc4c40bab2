// The operands of an implicit matrix product: row r of the left one is what output pixel r of a convolution sees (for a
// matrix product: row r itself), column c of the right one is an output channel. The sum runs over taps_y · taps_x runs
// of `run` values each, which lie `step` floats apart within one line (row of pixels) of the input. Where a kernel's
// taps are neighbours in memory, a whole line of the kernel is one run. Values outside the line count as zero.
//
// Workgroup z computes one plane: a group of channels, a slice of the sum, or one of several independent products.

struct Params {
  rows: u32,         // of the output, all images
  columns: u32,      // of a plane's output, in vec4
  channels: u32,     // the same, one by one
  lines: u32,        // of an image of the input
  line_length: u32,  // floats
  out_lines: u32,    // of an image of the output
  out_line_rows: u32,
  stride_lines: u32, // from one output line to the next, in input lines
  stride: u32,       // from one output row to the next, in floats; the same for what follows
  dilation_lines: u32,
  dilation: u32,
  padding_lines: u32,
  padding: u32,
  taps_y: u32,
  taps_x: u32,
  run: u32,
  step: u32,
  weight_stride: u32, // from one value of the sum to the next, in vec4
  tap_weights: u32,   // from one run to the next, in vec4
  plane_input: u32,   // from one plane to the next: floats
  plane_weight: u32,  // vec4
  plane_result: u32,  // this and what follows in vec4, or in floats where channels are no multiple of four
  plane_channel: u32,
  result_stride: u32, // from one output row to the next
  column_groups: u32, // workgroups side by side
  longest_loop: u32,
  has_bias: u32,
  has_residual: u32,
  activation: u32,
}

@group(0) @binding(0) var<storage, read> input: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<Weight>; // [value of the sum, channel / 4]
@group(0) @binding(5) var<uniform> params: Params;

alias Weight = vec4f; // vec4<f16> where weights are stored in 16 bits

// Which tile of rows and of columns a workgroup computes. More rows than workgroups fit into y go on in x.
fn tile_of(group: vec3u, groups: vec3u) -> vec2u {
  return vec2u(group.x % params.column_groups, group.y + group.x / params.column_groups * groups.y);
}

// Where the input of an output row begins.
struct Origin {
  image: u32, // first float
  line: u32,  // of its first tap; beyond the image this wraps to a huge number, so one comparison tests both edges
  at: u32,    // float of its first tap within the line; likewise
}

// Far outside of any line: such taps count as zero.
const OUTSIDE: u32 = 2147483648u;

fn origin_of(row: u32, plane: u32) -> Origin {
  let line = row / params.out_line_rows;
  let image = line / params.out_lines;
  var origin: Origin;
  origin.image = plane * params.plane_input + image * params.lines * params.line_length;
  origin.line = select(OUTSIDE, line % params.out_lines * params.stride_lines - params.padding_lines, row < params.rows);
  origin.at = row % params.out_line_rows * params.stride - params.padding;
  return origin;
}

// One row's run of one tap.
struct Run {
  line: u32, // first float of the line
  at: u32,   // first value within it, perhaps outside
}

fn run_of(origin: Origin, tap_y: u32, tap_x: u32) -> Run {
  let line = origin.line + tap_y * params.dilation_lines;
  let inside = line < params.lines;
  var run: Run;
  run.line = origin.image + select(0u, line * params.line_length, inside);
  run.at = select(OUTSIDE, origin.at + tap_x * params.dilation, inside);
  return run;
}

fn value_of(run: Run, k: u32) -> f32 {
  let at = run.at + k * params.step;
  let inside = at < params.line_length;
  return select(0.0, input[run.line + select(0u, at, inside)], inside);
}
