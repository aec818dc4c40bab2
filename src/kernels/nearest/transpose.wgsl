// Query rows, seen from the origin (row 0 of the bank), as columns of four-element vectors: [queries][vectors] to
// [vectors][queries], so that neighbouring lanes of a search read neighbouring memory. Thread t copies vector t of the result.

struct Params {
  queries: u32,
  vectors: u32, // elements of a query / 4
}

@group(0) @binding(0) var<storage, read> rows: array<vec4f>;
@group(0) @binding(1) var<storage, read> origin: array<Stored>;
@group(0) @binding(2) var<storage, read_write> columns: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.queries * params.vectors) { return; }
  let k = index / params.queries;
  columns[index] = rows[index % params.queries * params.vectors + k] - widen(origin[k]);
}
