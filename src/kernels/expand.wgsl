// Spreads one number a group, or one a channel, over the elements of a tensor: result[i] = scale · values[(i / length)
// mod number of values]. Groups: `length` elements each. Channels: length 1.
// Thread t computes element t.

struct Params {
  count: u32,
  length: u32,    // neighbouring elements that get one value
  values: u32,    // number of values
  scale: f32,
}

@group(0) @binding(0) var<storage, read> values: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  result[index] = params.scale * values[index / params.length % params.values];
}
