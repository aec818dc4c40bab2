// Mahalanobis distances to one Gaussian a position: result[b][p] = |W_p (x_bp − μ_p)|, W_p a packed lower triangle.
// One subgroup, which is the whole workgroup, a (image, position): the lanes read a row's neighbouring words, and their
// partial sums are added by the subgroup. The choice on hardware with a fixed subgroup size.

struct Params {
  images: u32,
  positions: u32,    // of the features
  dimensions: u32,
  first: u32,        // first position of this run
  count: u32,        // positions of this run
  triangle: u32,     // elements a triangle
  skip: u32,         // words in front of the first position's triangle
}

@group(0) @binding(0) var<storage, read> features: array<f32>;   // [images, positions, dimensions]
@group(0) @binding(1) var<storage, read> mean: array<f32>;       // [positions, dimensions]
@group(0) @binding(2) var<storage, read> factor: array<f32>;     // [count, triangle], packed
@group(0) @binding(3) var<storage, read_write> result: array<f32>;   // [images, positions]
@group(0) @binding(4) var<uniform> params: Params;

const WORKGROUP: u32 = 32u;     // the adapter's subgroup size
const DIMENSIONS: u32 = 128u;   // of the workgroup's memory, at least those of the features

var<workgroup> centred: array<f32, DIMENSIONS>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = group.x + group.y * groups.x;
  let image = index / params.count;
  let position = index % params.count;
  if (image >= params.images) { return; }
  let place = params.first + position;
  let x = (image * params.positions + place) * params.dimensions;
  let m = place * params.dimensions;
  for (var k = lane; k < params.dimensions; k += WORKGROUP) { centred[k] = features[x + k] - mean[m + k]; }
  workgroupBarrier();
  var at = params.skip + position * params.triangle;
  var total = 0.0;
  for (var row = 0u; row < params.dimensions; row += 1u) {
    var sum = 0.0;
    for (var k = lane; k <= row; k += WORKGROUP) { sum += factor[at + k] * centred[k]; }
    let whole = subgroupAdd(sum);
    total += whole * whole;
    at += row + 1u;
  }
  if (lane == 0u) { result[image * params.positions + place] = sqrt(total); }
}
