// Mahalanobis distances to one Gaussian a position: result[b][p] = |W_p (x_bp − μ_p)|, W_p a packed lower triangle.
// One workgroup a (image, position): the centred feature lies in workgroup memory, thread t takes the rows t, t + 64, …,
// whose cache lines it reads through; the squares are added in a fixed tree.
// Joined with gaussians.wgsl.

const WORKGROUP: u32 = 64u;
const DIMENSIONS: u32 = 128u;   // of the workgroup's memory, at least those of the features

var<workgroup> centred: array<f32, DIMENSIONS>;
var<workgroup> squares: array<f32, WORKGROUP>;

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
  let base = params.skip + position * params.triangle;
  var total = 0.0;
  for (var row = lane; row < params.dimensions; row += WORKGROUP) {
    let at = base + row * (row + 1u) / 2u;
    var sum = 0.0;
    for (var k = 0u; k <= row; k += 1u) { sum += factor[at + k] * centred[k]; }
    total += sum * sum;
  }
  squares[lane] = total;
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { squares[lane] += squares[lane + half]; }
  }
  if (lane == 0u) { result[image * params.positions + place] = sqrt(squares[0]); }
}
