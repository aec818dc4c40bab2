// The second half of a flow's step: the two parts of the channels, each channel times its scale plus its shift, in
// another order, cut into two parts again. With BACK the transposed map without shift, which carries gradients.
// Thread t computes channel t mod channels of a pixel.

struct Params {
  count: u32,       // elements of both parts
  channels: u32,    // of both parts
  first: u32,       // channels of the first part
}

@group(0) @binding(0) var<storage, read> first: array<f32>;
@group(0) @binding(1) var<storage, read> second: array<f32>;
@group(0) @binding(2) var<storage, read> scale: array<f32>;
@group(0) @binding(3) var<storage, read> shift: array<f32>;
@group(0) @binding(4) var<storage, read> order: array<u32>;  // channel that each channel of the result comes from
@group(0) @binding(5) var<storage, read_write> firstResult: array<f32>;
@group(0) @binding(6) var<storage, read_write> secondResult: array<f32>;
@group(0) @binding(7) var<uniform> params: Params;

const BACK: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let pixel = index / params.channels;
  let channel = index % params.channels;
  let other = params.channels - params.first;
  let origin = order[channel];
  var value: f32;
  if (origin < params.first) { value = first[pixel * params.first + origin]; }
  else { value = second[pixel * other + origin - params.first]; }
  if (BACK) { value = value * scale[channel]; }
  else { value = value * scale[origin] + shift[origin]; }
  if (channel < params.first) { firstResult[pixel * params.first + channel] = value; }
  else { secondResult[pixel * other + channel - params.first] = value; }
}
