// Bank rows as 32-bit floats, for the product, which reads nothing else. Thread t widens four elements.

struct Params {
  vectors: u32, // elements of all rows / 4
}

@group(0) @binding(0) var<storage, read> bank: array<Stored>;
@group(0) @binding(1) var<storage, read_write> widened: array<vec4f>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index < params.vectors) { widened[index] = widen(bank[index]); }
}
