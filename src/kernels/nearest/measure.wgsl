// What `refine.wgsl` and `finish.wgsl` do, in one dispatch: on hardware, where the whole bank is bound. Workgroup q takes
// query q: LANES threads measure a member of its list, then a thread a member counts those that come before it.

struct Params {
  queries: u32,
  members: u32,    // of a list that are rows: fewer where the bank is smaller
  neighbours: u32, // wanted
  vectors: u32,    // elements of a row / 4
}

@group(0) @binding(2) var<storage, read> merged: array<u32>;           // [list][queries]
@group(0) @binding(3) var<storage, read_write> distances: array<f32>; // [queries][neighbours]
@group(0) @binding(4) var<storage, read_write> nearest: array<u32>;
@group(0) @binding(5) var<uniform> params: Params;

// Most members: 16 neighbours and 3 to spare.
const CAPACITY: u32 = 19u;

var<workgroup> squares: array<f32, CAPACITY>;
var<workgroup> rows: array<u32, CAPACITY>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let query = group.x;
  for (var first = 0u; first < params.members; first += 64u / LANES) {
    let member = first + thread / LANES;
    var row = 0u;
    var sum = 0.0;
    if (member < params.members) {
      row = merged[member * params.queries + query];
      sum = square_between(query, row, thread % LANES);
    }
    sum = sum_of_lanes(sum, thread);
    if (member < params.members && thread % LANES == 0u) {
      squares[member] = sum;
      rows[member] = row;
    }
    workgroupBarrier();
  }
  if (thread >= params.members) { return; }
  var rank = 0u;
  for (var other = 0u; other < params.members; other++) {
    let nearer = squares[other] < squares[thread];
    let before = squares[other] == squares[thread] && rows[other] < rows[thread];
    rank += select(0u, 1u, nearer || before);
  }
  if (rank < params.neighbours) {
    distances[query * params.neighbours + rank] = sqrt(squares[thread]);
    nearest[query * params.neighbours + rank] = rows[thread];
  }
}
