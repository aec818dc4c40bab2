// Mahalanobis distances to one Gaussian a position: result[b][p] = |W_p (x_bp − μ_p)|, W_p a packed lower triangle.
// One thread a (image, position) goes through W four rows at a time: six loads serve four multiply-adds, the row's four
// values being independent sums. The choice on software adapters for one image: a gather costs there what any load costs.
// Joined with gaussians.wgsl.

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  let image = index / params.count;
  let position = index % params.count;
  if (image >= params.images) { return; }
  let place = params.first + position;
  let x = (image * params.positions + place) * params.dimensions;
  let m = place * params.dimensions;
  var total = 0.0;
  var at = params.skip + position * params.triangle;
  var row = 0u;
  for (; row + 4u <= params.dimensions; row += 4u) {
    // First words of the rows row … row+3.
    let a0 = at;
    let a1 = a0 + row + 1u;
    let a2 = a1 + row + 2u;
    let a3 = a2 + row + 3u;
    var sums = vec4f(0.0);
    for (var k = 0u; k <= row; k += 1u) {
      let factors = vec4f(factor[a0 + k], factor[a1 + k], factor[a2 + k], factor[a3 + k]);
      sums = fma(factors, vec4f(features[x + k] - mean[m + k]), sums);
    }
    let z1 = features[x + row + 1u] - mean[m + row + 1u];
    let z2 = features[x + row + 2u] - mean[m + row + 2u];
    let z3 = features[x + row + 3u] - mean[m + row + 3u];
    sums.y = fma(factor[a1 + row + 1u], z1, sums.y);
    sums.z = fma(factor[a2 + row + 2u], z2, fma(factor[a2 + row + 1u], z1, sums.z));
    sums.w = fma(factor[a3 + row + 3u], z3, fma(factor[a3 + row + 2u], z2, fma(factor[a3 + row + 1u], z1, sums.w)));
    total = fma(sums.w, sums.w, fma(sums.z, sums.z, fma(sums.y, sums.y, fma(sums.x, sums.x, total))));
    at = a3 + row + 4u;
  }
  for (; row < params.dimensions; row += 1u) {
    var sum = 0.0;
    for (var k = 0u; k <= row; k += 1u) { sum = fma(factor[at + k], features[x + k] - mean[m + k], sum); }
    total = fma(sum, sum, total);
    at += row + 1u;
  }
  result[image * params.positions + place] = sqrt(total);
}
