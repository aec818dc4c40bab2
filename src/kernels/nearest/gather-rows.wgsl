// Copies listed rows of a matrix, widened to 32 bits. Thread t copies vector t of the result; rows that are not among those
// bound are left to the dispatch that binds them.

struct Params {
  listed: u32,
  vectors: u32,   // elements of a row / 4
  rows: u32,      // bound
  first_row: u32, // number of the first bound row
}

@group(0) @binding(0) var<storage, read> bank: array<Stored>; // [rows][vectors]
@group(0) @binding(1) var<storage, read> list: array<u32>;
@group(0) @binding(2) var<storage, read_write> result: array<vec4f>; // [listed][vectors]
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.listed * params.vectors) { return; }
  let row = list[index / params.vectors] - params.first_row; // wraps to something large for earlier rows
  if (row >= params.rows) { return; }
  result[index] = widen(bank[row * params.vectors + index % params.vectors]);
}
