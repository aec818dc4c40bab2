// Multiplies every row by a number: result[row, c] = input[row, c] · factors[row].
// Thread t computes Value t.

struct Params {
  count: u32,     // Values
  length: u32,    // of a row, in Values
}

alias Value = f32;

@group(0) @binding(0) var<storage, read> input: array<Value>;
@group(0) @binding(1) var<storage, read> factors: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<Value>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  result[index] = input[index] * factors[index / params.length];
}
