// Gradient of a convolution with respect to its weights, as in weight-subgroup.wgsl but without subgroups: the default
// of hardware adapters, whose first-level cache serves the loads that neighbouring threads share.
// A workgroup of 8 × 8 threads makes 32 × 32 sums of one slice of image rows: thread (i, j) four input channels of one
// tap by four output channels, an outer product of two vectors a pixel.
// For input and output channels that are multiples of four.

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

@group(0) @binding(0) var<storage, read> input: array<vec4f>;        // [n, in_height, in_width, in_channels]
@group(0) @binding(1) var<storage, read> gradient: array<vec4f>;     // [n, out_height, out_width, out_channels]
@group(0) @binding(2) var<storage, read_write> result: array<vec4f>; // [slices, rows, out_channels]
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(8, 8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let row_blocks = (params.rows + 31u) / 32u;
  let first = group.x % row_blocks * 32u + local.y * 4u;
  let column = group.x / row_blocks * 8u + local.x;
  let columns = params.out_channels / 4u;
  if (first >= params.rows || column >= columns) { return; }
  let tap = first / params.in_channels;
  let kernel_y = tap / params.kernel_width;
  let kernel_x = tap % params.kernel_width;
  let in_step = params.in_channels / 4u;
  let channel = first % params.in_channels / 4u;

  // Output columns whose tap falls inside the image.
  let left = select(0u, (params.padding_left - kernel_x + params.stride_x - 1u) / params.stride_x, kernel_x < params.padding_left);
  let end = min(params.out_width, (params.in_width + params.padding_left - kernel_x + params.stride_x - 1u) / params.stride_x);

  var sum0 = vec4f(0.0);
  var sum1 = vec4f(0.0);
  var sum2 = vec4f(0.0);
  var sum3 = vec4f(0.0);
  let last_row = min(params.image_rows, (group.y + 1u) * params.slice_rows);
  for (var image_row = group.y * params.slice_rows; image_row < last_row; image_row++) {
    // Above the image this wraps to a huge number, so one comparison tests both edges.
    let in_y = image_row % params.out_height * params.stride_y + kernel_y - params.padding_top;
    if (in_y >= params.in_height) { continue; }
    let in_row = image_row / params.out_height * params.in_height + in_y;
    var at_input = (in_row * params.in_width + left * params.stride_x + kernel_x - params.padding_left) * in_step + channel;
    var at_gradient = (image_row * params.out_width + left) * columns + column;
    for (var x = left; x < end; x++) {
      let values = input[at_input];
      let weight = gradient[at_gradient];
      at_input += in_step * params.stride_x;
      at_gradient += columns;
      sum0 = fma(vec4f(values.x), weight, sum0);
      sum1 = fma(vec4f(values.y), weight, sum1);
      sum2 = fma(vec4f(values.z), weight, sum2);
      sum3 = fma(vec4f(values.w), weight, sum3);
    }
  }
  let at = (group.y * params.rows + first) * columns + column;
  result[at] = sum0;
  result[at + columns] = sum1;
  result[at + 2u * columns] = sum2;
  result[at + 3u * columns] = sum3;
}
