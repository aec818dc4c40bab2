// Adds up the slices of a sum that was split, in order, then bias, residual and activation.
// Thread t computes element t.

struct Params {
  count: u32,
  channels: u32,
  slices: u32,
  has_bias: u32,
  has_residual: u32,
  activation: u32,
}

@group(0) @binding(0) var<storage, read> parts: array<f32>; // [slice, element]
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  var sum = 0.0;
  for (var slice = 0u; slice < params.slices; slice++) { sum += parts[slice * params.count + index]; }
  result[index] = finish(sum, bias_of(index % params.channels), index);
}
