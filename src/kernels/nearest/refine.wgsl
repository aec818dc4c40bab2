// Squared distances of the listed rows: LANES neighbouring threads measure a member of the lists if its row is among those
// bound.

struct Params {
  queries: u32,
  members: u32,   // of all lists
  vectors: u32,   // elements of a row / 4
  rows: u32,      // rows bound
  first_row: u32, // number of the first
}

@group(0) @binding(2) var<storage, read> merged: array<u32>; // [list][queries]
@group(0) @binding(3) var<storage, read_write> squares: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let member = ((group.x + group.y * groups.x) * 64u + thread) / LANES;
  let row = merged[min(member, params.members - 1u)] - params.first_row; // wraps to something large for earlier rows
  let measured = member < params.members && row < params.rows;
  var sum = 0.0;
  if (measured) { sum = square_between(member % params.queries, row, thread % LANES); }
  sum = sum_of_lanes(sum, thread);
  if (measured && thread % LANES == 0u) { squares[member] = sum; }
}
