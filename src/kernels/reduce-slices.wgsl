// Adds up partial results, always in the same order: result[t] = Σ over slices of partials[slice, t].
// Thread t computes Value t.

struct Params {
  values: u32,  // of one slice
  slices: u32,
}

alias Value = f32;

@group(0) @binding(0) var<storage, read> partials: array<Value>;
@group(0) @binding(1) var<storage, read_write> result: array<Value>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.values) { return; }
  var sum = Value(0.0);
  for (var slice = 0u; slice < params.slices; slice++) { sum += partials[slice * params.values + index]; }
  result[index] = sum;
}
