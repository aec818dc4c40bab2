// Gradient of a convolution with respect to its input, any kernel, stride, padding, dilation and groups: the plain sum,
// kept as the second oracle of the tests and for shapes that cannot be computed as convolutions.
// Thread t computes element t of the input: the taps that reach it are looked for among all of the kernel.

struct Params {
  count: u32,             // elements of the input
  in_height: u32, in_width: u32, in_channels: u32,
  out_height: u32, out_width: u32, out_channels: u32,
  kernel_height: u32, kernel_width: u32,
  stride_y: u32, stride_x: u32,
  dilation_y: u32, dilation_x: u32,
  padding_top: u32, padding_left: u32,
  group_inputs: u32, group_outputs: u32, // channels of one group
}

@group(0) @binding(0) var<storage, read> gradient: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>; // [kernel_height, kernel_width, group_inputs, out_channels]
@group(0) @binding(2) var<storage, read_write> result: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let channel = index % params.in_channels;
  let pixel = index / params.in_channels;
  let x = pixel % params.in_width;
  let y = pixel / params.in_width % params.in_height;
  let image = pixel / params.in_width / params.in_height;
  let first = channel / params.group_inputs * params.group_outputs;
  var sum = 0.0;
  for (var ky = 0u; ky < params.kernel_height; ky++) {
    // Before the first output this wraps to a huge number, which the comparison after the division refuses.
    let from_y = y + params.padding_top - ky * params.dilation_y;
    if (from_y % params.stride_y != 0u || from_y / params.stride_y >= params.out_height) { continue; }
    for (var kx = 0u; kx < params.kernel_width; kx++) {
      let from_x = x + params.padding_left - kx * params.dilation_x;
      if (from_x % params.stride_x != 0u || from_x / params.stride_x >= params.out_width) { continue; }
      let at = ((image * params.out_height + from_y / params.stride_y) * params.out_width + from_x / params.stride_x) * params.out_channels + first;
      let tap = ((ky * params.kernel_width + kx) * params.group_inputs + channel % params.group_inputs) * params.out_channels + first;
      for (var c = 0u; c < params.group_outputs; c++) {
        sum += gradient[at + c] * weight[tap + c];
      }
    }
  }
  result[index] = sum;
}
