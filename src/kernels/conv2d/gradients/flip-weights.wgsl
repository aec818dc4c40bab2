// The kernel of the convolution that carries gradients back to one phase of the input (the pixels with one remainder by
// the stride): every stride-th tap, turned by 180°, with input and output channels exchanged.
// Thread t computes element t of [taps_y, taps_x, out_channels, in_channels].

struct Params {
  count: u32,
  taps_y: u32, taps_x: u32,
  first_y: u32, first_x: u32,   // the phase: its taps are first, first + stride, …
  stride_y: u32, stride_x: u32,
  kernel_width: u32,
  in_channels: u32, out_channels: u32,
}

@group(0) @binding(0) var<storage, read> weight: array<f32>; // [kernel height, kernel_width, in_channels, out_channels]
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let in_channel = index % params.in_channels;
  let out_channel = index / params.in_channels % params.out_channels;
  let tap = index / params.in_channels / params.out_channels;
  let ky = params.first_y + (params.taps_y - 1u - tap / params.taps_x) * params.stride_y;
  let kx = params.first_x + (params.taps_x - 1u - tap % params.taps_x) * params.stride_x;
  result[index] = weight[((ky * params.kernel_width + kx) * params.in_channels + in_channel) * params.out_channels + out_channel];
}
