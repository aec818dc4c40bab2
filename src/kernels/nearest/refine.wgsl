// Squared distances of the listed rows from the differences themselves, which do not cancel: thread t measures member t
// of the lists if its row is among those bound.

struct Params {
  members: u32,   // of all lists
  list: u32,      // members of one
  vectors: u32,   // elements of a row / 4
  rows: u32,      // rows bound
  first_row: u32, // number of the first
}

@group(0) @binding(0) var<storage, read> queries: array<vec4f>; // [queries][vectors]
@group(0) @binding(1) var<storage, read> bank: array<Stored>;   // [rows][vectors]
@group(0) @binding(2) var<storage, read> merged: array<u32>;    // [queries][list]
@group(0) @binding(3) var<storage, read_write> squares: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let member = (group.x + group.y * groups.x) * 64u + lane;
  if (member >= params.members) { return; }
  let row = merged[member] - params.first_row; // wraps to something large for earlier rows
  if (row >= params.rows) { return; }
  let query = member / params.list * params.vectors;
  var sum = 0.0;
  for (var k = 0u; k < params.vectors; k++) {
    let difference = queries[query + k] - widen(bank[row * params.vectors + k]);
    sum += dot(difference, difference);
  }
  squares[member] = sum;
}
