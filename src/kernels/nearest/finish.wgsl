// Orders each query's measured rows by distance, then by number, and gives the first `neighbours` with the distance itself.
// Thread t takes query t.

struct Params {
  queries: u32,
  list: u32,       // members of a list
  members: u32,    // of them that are rows: fewer where the bank is smaller
  neighbours: u32, // wanted
}

@group(0) @binding(0) var<storage, read> squares: array<f32>; // [queries][list]
@group(0) @binding(1) var<storage, read> merged: array<u32>;
@group(0) @binding(2) var<storage, read_write> distances: array<f32>; // [queries][neighbours]
@group(0) @binding(3) var<storage, read_write> nearest: array<u32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let query = (group.x + group.y * groups.x) * 64u + lane;
  if (query >= params.queries) { return; }
  let first = query * params.list;
  for (var member = 0u; member < params.members; member++) {
    let square = squares[first + member];
    let index = merged[first + member];
    var rank = 0u;
    for (var other = 0u; other < params.members; other++) {
      let nearer = squares[first + other] < square;
      let before = squares[first + other] == square && merged[first + other] < index;
      rank += select(0u, 1u, nearer || before);
    }
    if (rank < params.neighbours) {
      distances[query * params.neighbours + rank] = sqrt(square);
      nearest[query * params.neighbours + rank] = index;
    }
  }
}
