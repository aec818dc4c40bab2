// Convolution, any kernel, stride, padding, dilation and groups: the plain sum, kept as the second oracle of the tests
// and for shapes that no other variant takes.
// Thread t computes output element t (NHWC); it reads every operand of its sum from memory.

struct Params {
  count: u32,             // outputs
  in_height: u32, in_width: u32, in_channels: u32,
  out_height: u32, out_width: u32, out_channels: u32,
  kernel_height: u32, kernel_width: u32,
  stride_y: u32, stride_x: u32,
  dilation_y: u32, dilation_x: u32,
  padding_top: u32, padding_left: u32,
  group_inputs: u32, group_outputs: u32, // channels of one group
  has_bias: u32, has_residual: u32, activation: u32,
}

@group(0) @binding(0) var<storage, read> input: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>; // [kernel_height, kernel_width, group_inputs, out_channels]
@group(0) @binding(4) var<storage, read_write> result: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let channel = index % params.out_channels;
  let pixel = index / params.out_channels;
  let x = pixel % params.out_width;
  let y = pixel / params.out_width % params.out_height;
  let image = pixel / params.out_width / params.out_height;
  let first = channel / params.group_outputs * params.group_inputs;
  var sum = 0.0;
  for (var ky = 0u; ky < params.kernel_height; ky++) {
    // Above the image this wraps to a huge number, so one comparison tests both edges.
    let in_y = y * params.stride_y + ky * params.dilation_y - params.padding_top;
    if (in_y >= params.in_height) { continue; }
    for (var kx = 0u; kx < params.kernel_width; kx++) {
      let in_x = x * params.stride_x + kx * params.dilation_x - params.padding_left;
      if (in_x >= params.in_width) { continue; }
      let at = ((image * params.in_height + in_y) * params.in_width + in_x) * params.in_channels + first;
      let tap = (ky * params.kernel_width + kx) * params.group_inputs;
      for (var c = 0u; c < params.group_inputs; c++) {
        sum += input[at + c] * weight[(tap + c) * params.out_channels + channel];
      }
    }
  }
  result[index] = finish(sum, bias_of(channel), index);
}
