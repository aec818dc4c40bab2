// Gradient of a convolution with respect to its weights, any kernel, stride, padding, dilation and groups: the plain
// sum, kept as the second oracle of the tests and for shapes that no other variant takes.
// Thread (t, slice) computes weight t over one slice of image rows; the slices are added up by reduce-slices.wgsl.

struct Params {
  count: u32,             // weights
  in_height: u32, in_width: u32, in_channels: u32,
  out_height: u32, out_width: u32, out_channels: u32,
  kernel_height: u32, kernel_width: u32,
  stride_y: u32, stride_x: u32,
  dilation_y: u32, dilation_x: u32,
  padding_top: u32, padding_left: u32,
  group_inputs: u32, group_outputs: u32, // channels of one group
  image_rows: u32,        // batch · out_height
  slice_rows: u32,        // image rows of a slice
}

@group(0) @binding(0) var<storage, read> input: array<f32>;
@group(0) @binding(1) var<storage, read> gradient: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>; // [slices, kernel_height, kernel_width, group_inputs, out_channels]
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.count) { return; }
  let out_channel = id.x % params.out_channels;
  let row = id.x / params.out_channels;
  let in_channel = row % params.group_inputs + out_channel / params.group_outputs * params.group_inputs;
  let tap = row / params.group_inputs;
  let kernel_y = tap / params.kernel_width * params.dilation_y;
  let kernel_x = tap % params.kernel_width * params.dilation_x;
  var sum = 0.0;
  let last_row = min(params.image_rows, (id.y + 1u) * params.slice_rows);
  for (var image_row = id.y * params.slice_rows; image_row < last_row; image_row++) {
    let in_y = image_row % params.out_height * params.stride_y + kernel_y - params.padding_top;
    if (in_y >= params.in_height) { continue; }
    let in_row = image_row / params.out_height * params.in_height + in_y;
    for (var x = 0u; x < params.out_width; x++) {
      let in_x = x * params.stride_x + kernel_x - params.padding_left;
      if (in_x >= params.in_width) { continue; }
      sum += input[(in_row * params.in_width + in_x) * params.in_channels + in_channel] *
        gradient[(image_row * params.out_width + x) * params.out_channels + out_channel];
    }
  }
  result[id.y * params.count + id.x] = sum;
}
