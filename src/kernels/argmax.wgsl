// One level of the search for the greatest element of each image: workgroup (g, image) folds ITEMS · 64 candidates into
// one, value and index together; of equal values the lowest index wins, so the result does not depend on the order.
// FIRST: candidates are the elements themselves. Otherwise they are pairs from the level before.

struct Params {
  length: u32,        // candidates of one image
  partials: u32,      // results of one image
}

@group(0) @binding(0) var<storage, read> values: array<f32>;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read_write> bestValues: array<f32>;
@group(0) @binding(3) var<storage, read_write> bestIndices: array<u32>;
@group(0) @binding(4) var<uniform> params: Params;

const ITEMS: u32 = 32u;
const FIRST: bool = true;

var<workgroup> laneValues: array<f32, 64>;
var<workgroup> laneIndices: array<u32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let partial = group.x + group.y * groups.x;
  let base = group.z * params.length;
  // Any candidate of the group may begin: its first, which exists.
  let start = min(partial * ITEMS * 64u, params.length - 1u);
  var value = values[base + start];
  var index = start;
  if (!FIRST) { index = indices[base + start]; }
  for (var item = 0u; item < ITEMS; item++) {
    let at = start + item * 64u + lane;
    if (at >= params.length) { break; }
    let other = values[base + at];
    var otherIndex = at;
    if (!FIRST) { otherIndex = indices[base + at]; }
    if (other > value || (other == value && otherIndex < index)) {
      value = other;
      index = otherIndex;
    }
  }
  laneValues[lane] = value;
  laneIndices[lane] = index;
  for (var half = 32u; half > 0u; half >>= 1u) {
    workgroupBarrier();
    if (lane < half) {
      let other = laneValues[lane + half];
      let otherIndex = laneIndices[lane + half];
      if (other > laneValues[lane] || (other == laneValues[lane] && otherIndex < laneIndices[lane])) {
        laneValues[lane] = other;
        laneIndices[lane] = otherIndex;
      }
    }
  }
  if (lane == 0u && partial < params.partials) {
    bestValues[group.z * params.partials + partial] = laneValues[0];
    bestIndices[group.z * params.partials + partial] = laneIndices[0];
  }
}
