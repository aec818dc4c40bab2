// Query rows as columns, the right operand of the product: thread t turns four elements (`turn-query.wgsl`).

struct Params {
  queries: u32,
  vectors: u32, // elements of a query / 4
  columns: u32, // queries, rounded up to a multiple of four
}

@group(0) @binding(0) var<storage, read> rows: array<vec4f>;
@group(0) @binding(1) var<storage, read> origin: array<Stored>;
@group(0) @binding(2) var<storage, read_write> columns: array<f32>; // [elements][columns]
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  turn_query((group.x + group.y * groups.x) * 64u + lane);
}
