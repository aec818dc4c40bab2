// Gradient of a convolution with respect to its weights, as a matrix product over pixels: rows are the input channels of
// one tap, columns the output channels, and every pixel adds the outer product of its input and its gradient.
// A workgroup is one subgroup. It makes ROWS × 4·SUBGROUP sums of one slice of image rows: lane l loads one vector of
// four gradients and ROWS / SUBGROUP inputs a pixel, and the inputs are handed round by shuffles, so that a
// load serves many multiply-adds. Workgroup (tile, slice) writes its block of partial result `slice`; the slices are
// added up by reduce-slices.wgsl, always in the same order.
// For adapters with a fixed subgroup size, input channels that are a multiple of ROWS and output channels of four.

struct Params {
  in_height: u32, in_width: u32, in_channels: u32,
  out_height: u32, out_width: u32, out_channels: u32,
  kernel_width: u32,
  stride_y: u32, stride_x: u32,
  padding_top: u32, padding_left: u32,
  rows: u32,                // kernel height · kernel width · input channels
  image_rows: u32,          // batch · out_height
  slice_rows: u32,          // image rows of a slice
}

alias Inputs = vec2f;

@group(0) @binding(0) var<storage, read> input: array<Inputs>;      // [n, in_height, in_width, in_channels]
@group(0) @binding(1) var<storage, read> gradient: array<vec4f>;    // [n, out_height, out_width, out_channels]
@group(0) @binding(2) var<storage, read_write> result: array<vec4f>; // [slices, rows, out_channels]
@group(0) @binding(3) var<uniform> params: Params;

const SUBGROUP: u32 = 8u;
const ROWS: u32 = 16u;
const SHARE: u32 = ROWS / SUBGROUP;

@compute @workgroup_size(SUBGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let row_blocks = params.rows / ROWS;
  let first = group.x % row_blocks * ROWS;
  let column = group.x / row_blocks * SUBGROUP + lane;
  let columns = params.out_channels / 4u;
  let tap = first / params.in_channels;
  let kernel_y = tap / params.kernel_width;
  let kernel_x = tap % params.kernel_width;
  let channel = first % params.in_channels / SHARE + lane;

  // Output columns whose tap falls inside the image.
  let left = select(0u, (params.padding_left - kernel_x + params.stride_x - 1u) / params.stride_x, kernel_x < params.padding_left);
  let end = min(params.out_width, (params.in_width + params.padding_left - kernel_x + params.stride_x - 1u) / params.stride_x);
  let in_step = params.stride_x * params.in_channels / SHARE;

  var sum: array<vec4f, ROWS>;
  for (var i = 0u; i < ROWS; i++) { sum[i] = vec4f(0.0); }
  let last_row = min(params.image_rows, (group.y + 1u) * params.slice_rows);
  for (var image_row = group.y * params.slice_rows; image_row < last_row; image_row++) {
    // Above the image this wraps to a huge number, so one comparison tests both edges.
    let in_y = image_row % params.out_height * params.stride_y + kernel_y - params.padding_top;
    if (in_y >= params.in_height) { continue; }
    let in_row = image_row / params.out_height * params.in_height + in_y;
    var at_input = (in_row * params.in_width + left * params.stride_x + kernel_x - params.padding_left) * params.in_channels / SHARE + channel;
    var at_gradient = (image_row * params.out_width + left) * columns + min(column, columns - 1u);
    for (var x = left; x < end; x++) {
      let values = input[at_input];
      let weight = gradient[at_gradient];
      at_input += in_step;
      at_gradient += columns;
      for (var i = 0u; i < ROWS; i++) {
        sum[i] = fma(vec4f(subgroupShuffle(values[i % SHARE], i / SHARE)), weight, sum[i]);
      }
    }
  }
  if (column >= columns) { return; }
  for (var i = 0u; i < ROWS; i++) {
    result[(group.y * params.rows + first + i) * columns + column] = sum[i];
  }
}
