// Depthwise convolution of any kernel, stride, padding and dilation, one output channel an input channel.
// Thread t computes four channels of one output pixel; neighbouring threads have neighbouring channels.
// For shapes that the strips of depthwise-strip-*.wgsl do not take.

struct Params {
  count: u32, // outputs / 4
  in_height: u32, in_width: u32,
  out_height: u32, out_width: u32,
  channels: u32, // in vec4
  kernel_height: u32, kernel_width: u32,
  stride_y: u32, stride_x: u32,
  dilation_y: u32, dilation_x: u32,
  padding_top: u32, padding_left: u32,
  has_bias: u32, has_residual: u32, activation: u32,
}

@group(0) @binding(0) var<storage, read> input: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>; // [kernel_height, kernel_width, channels]
@group(0) @binding(4) var<storage, read_write> result: array<vec4f>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let channel = index % params.channels;
  let pixel = index / params.channels;
  let x = pixel % params.out_width;
  let line = pixel / params.out_width;
  let y = line % params.out_height;
  let image = line / params.out_height;
  var sum = vec4f(0.0);
  for (var ky = 0u; ky < params.kernel_height; ky++) {
    let in_y = y * params.stride_y + ky * params.dilation_y - params.padding_top;
    if (in_y >= params.in_height) { continue; }
    for (var kx = 0u; kx < params.kernel_width; kx++) {
      let in_x = x * params.stride_x + kx * params.dilation_x - params.padding_left;
      if (in_x >= params.in_width) { continue; }
      let at = ((image * params.in_height + in_y) * params.in_width + in_x) * params.channels + channel;
      sum = fma(input[at], weight[(ky * params.kernel_width + kx) * params.channels + channel], sum);
    }
  }
  result[index] = finish(sum, bias_of(channel), index);
}
