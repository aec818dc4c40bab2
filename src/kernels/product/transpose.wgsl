// Transposes matrices: result[b, c, r] = input[b, r, c].
// Thread t computes element t of the result.

struct Params {
  count: u32,
  rows: u32, // of the input
  columns: u32,
}

@group(0) @binding(0) var<storage, read> input: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let row = index % params.rows;
  let column = index / params.rows % params.columns;
  let matrix = index / params.rows / params.columns;
  result[index] = input[(matrix * params.rows + row) * params.columns + column];
}
