// Orders each query's measured rows by distance, then by number, and gives the first `neighbours` with the distance itself.
// Thread t takes query t.

struct Params {
  queries: u32,
  members: u32,    // of a list that are rows: fewer where the bank is smaller
  neighbours: u32, // wanted
}

@group(0) @binding(0) var<storage, read> squares: array<f32>; // [list][queries]
@group(0) @binding(1) var<storage, read> merged: array<u32>;
@group(0) @binding(2) var<storage, read_write> distances: array<f32>; // [queries][neighbours]
@group(0) @binding(3) var<storage, read_write> nearest: array<u32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let query = (group.x + group.y * groups.x) * 64u + lane;
  if (query >= params.queries) { return; }
  for (var member = 0u; member < params.members; member++) {
    let square = squares[member * params.queries + query];
    let index = merged[member * params.queries + query];
    var rank = 0u;
    for (var other = 0u; other < params.members; other++) {
      let at = other * params.queries + query;
      let nearer = squares[at] < square;
      let before = squares[at] == square && merged[at] < index;
      rank += select(0u, 1u, nearer || before);
    }
    if (rank < params.neighbours) {
      distances[query * params.neighbours + rank] = sqrt(square);
      nearest[query * params.neighbours + rank] = index;
    }
  }
}
