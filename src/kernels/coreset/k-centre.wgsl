// One step of the greedy k-centre, fused: every workgroup finds the point that the step before left farthest from all
// centres (the new centre), lowers the distances of its own points to it, and leaves the farthest of them, with its vector,
// for the next step. Nothing is read back and no second dispatch is needed, however many chunks the points come in: a
// chunk's dispatch takes the centre from the records, not from the points.
//
// A record is what a workgroup leaves: a head (distance, point, picks so far, picks wanted), and a tail of (least distance of
// a pick, unused …) and the point's vectors. The heads of all records lie together, as every workgroup reads them all; the
// tails lie behind them. Steps read one set of records and write the other; when all picks are made, or the farthest point is
// nearer than the least distance, they do nothing. Distances are squared, of picked points −1; of equals the lowest point
// wins, so the result does not depend on the cut.
//
// The first dispatch of a series (START) takes no centre: it only leaves the farthest points by the distances as they are,
// and passes on picks so far, picks wanted and least distance, which the host has put in the place of the records before.
//
// Points lie in blocks of 64: [blocks][vectors][64]. A workgroup takes four blocks at a time, a thread BLOCKS of them: four
// in software, so that one load of the centre serves four points; one on hardware, so that enough loads are under way.

struct Params {
  points: u32,      // bound
  vectors: u32,     // elements of a point / 4
  first_point: u32, // number of the first bound point
  first_group: u32, // record of this dispatch's first workgroup
  groups: u32,      // records in all
}

@group(0) @binding(0) var<storage, read> points: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> minimum: array<f32>;
@group(0) @binding(2) var<storage, read> before: array<vec4u>;
@group(0) @binding(3) var<storage, read_write> after: array<vec4u>;
@group(0) @binding(4) var<storage, read_write> picks: array<u32>;
@group(0) @binding(5) var<uniform> params: Params;

const START: bool = false;
const NONE: u32 = 0xffffffffu;
const BLOCKS: u32 = 4u;
const THREADS: u32 = 64u; // 256 / BLOCKS

struct Candidate {
  distance: f32,
  point: u32,  // number among all points
  source: u32, // record, or place among the bound points, that it comes from
}

var<workgroup> candidates: array<Candidate, THREADS>;

fn farther(a: Candidate, b: Candidate) -> bool {
  return a.distance > b.distance || (a.distance == b.distance && a.point < b.point);
}

// The farthest of all threads' candidates.
fn farthest(own: Candidate, lane: u32) -> Candidate {
  candidates[lane] = own;
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half && farther(candidates[lane + half], candidates[lane])) {
      candidates[lane] = candidates[lane + half];
    }
  }
  return workgroupUniformLoad(&candidates[0]);
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let tail_length = params.vectors + 1u;
  var picked = Candidate(-2.0, NONE, 0u);
  if (!START) {
    var candidate = picked;
    for (var record = lane; record < params.groups; record += THREADS) {
      let head = before[record];
      let other = Candidate(bitcast<f32>(head.x), head.y, record);
      if (farther(other, candidate)) { candidate = other; }
    }
    picked = farthest(candidate, lane);
  }
  let head = before[picked.source];
  let tail = params.groups + picked.source * tail_length;
  let least = before[select(tail, 1u, START)];
  let centre = tail + 1u;
  if (!START) {
    if (head.z >= head.w || picked.distance < bitcast<f32>(least.x)) { return; }
    if (params.first_group + group.x + lane == 0u) { picks[head.z] = picked.point; }
  }

  var best = Candidate(-2.0, NONE, 0u);
  let next = params.vectors * 64u;
  let column = lane % 64u;
  for (var four = group.x * 4u; four * 64u < params.points; four += groups.x * 4u) {
    let first = four + lane / 64u * BLOCKS;
    let at = first * next + column;
    var sums: array<f32, BLOCKS>;
    for (var block = 0u; block < BLOCKS; block++) { // unroll
      sums[block] = 0.0;
    }
    for (var k = 0u; k < select(params.vectors, 0u, START); k++) {
      let c = bitcast<vec4f>(before[centre + k]);
      // In the same order as where many centres are measured at once, so that both give the same distances.
      for (var block = 0u; block < BLOCKS; block++) { // unroll
        let d = points[at + block * next + k * 64u] - c;
        sums[block] = fma(d.w, d.w, fma(d.z, d.z, fma(d.y, d.y, fma(d.x, d.x, sums[block]))));
      }
    }
    for (var block = 0u; block < BLOCKS; block++) {
      let place = (first + block) * 64u + column;
      if (place < params.points) {
        let point = params.first_point + place;
        var distance = minimum[place];
        if (!START) {
          distance = select(min(distance, sums[block]), -1.0, point == picked.point);
          minimum[place] = distance;
        }
        let other = Candidate(distance, point, place);
        if (farther(other, best)) { best = other; }
      }
    }
  }
  let left = farthest(best, lane);
  let record = params.first_group + group.x;
  let place = params.groups + record * tail_length;
  if (lane == 0u) {
    after[record] = vec4u(bitcast<u32>(left.distance), left.point, head.z + select(1u, 0u, START), head.w);
    after[place] = least;
  }
  if (left.point == NONE) { return; }
  let start = left.source / 64u * params.vectors * 64u + left.source % 64u;
  for (var k = lane; k < params.vectors; k += THREADS) {
    after[place + 1u + k] = bitcast<vec4u>(points[start + k * 64u]);
  }
}
