// Mahalanobis distances to one Gaussian a position: result[b][p] = |W_p (x_bp − μ_p)|, W_p a packed lower triangle.
// Against lane.wgsl: a thread computes four images of its position, so that nine loads serve sixteen multiply-adds instead
// of six four. The sums are the same, word by word. The choice on software adapters for more than one image.
// Joined with gaussians.wgsl.

// Centred features of four images.
fn centred(x: vec4u, m: u32, k: u32) -> vec4f {
  return vec4f(features[x.x + k], features[x.y + k], features[x.z + k], features[x.w + k]) - mean[m + k];
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  let image = index / params.count * 4u;
  let position = index % params.count;
  if (image >= params.images) { return; }
  let place = params.first + position;
  // The last image stands in for those that do not exist.
  let images = min(vec4u(image) + vec4u(0u, 1u, 2u, 3u), vec4u(params.images - 1u));
  let x = (images * params.positions + place) * params.dimensions;
  let m = place * params.dimensions;
  var total = vec4f(0.0);
  var at = params.skip + position * params.triangle;
  var row = 0u;
  for (; row + 4u <= params.dimensions; row += 4u) {
    // First words of the rows row … row+3.
    let a0 = at;
    let a1 = a0 + row + 1u;
    let a2 = a1 + row + 2u;
    let a3 = a2 + row + 3u;
    var sum0 = vec4f(0.0);
    var sum1 = vec4f(0.0);
    var sum2 = vec4f(0.0);
    var sum3 = vec4f(0.0);
    for (var k = 0u; k <= row; k += 1u) {
      let z = centred(x, m, k);
      sum0 = fma(vec4f(factor[a0 + k]), z, sum0);
      sum1 = fma(vec4f(factor[a1 + k]), z, sum1);
      sum2 = fma(vec4f(factor[a2 + k]), z, sum2);
      sum3 = fma(vec4f(factor[a3 + k]), z, sum3);
    }
    let z1 = centred(x, m, row + 1u);
    let z2 = centred(x, m, row + 2u);
    let z3 = centred(x, m, row + 3u);
    sum1 = fma(vec4f(factor[a1 + row + 1u]), z1, sum1);
    sum2 = fma(vec4f(factor[a2 + row + 2u]), z2, fma(vec4f(factor[a2 + row + 1u]), z1, sum2));
    sum3 = fma(vec4f(factor[a3 + row + 2u]), z2, fma(vec4f(factor[a3 + row + 1u]), z1, sum3));
    sum3 = fma(vec4f(factor[a3 + row + 3u]), z3, sum3);
    total = fma(sum3, sum3, fma(sum2, sum2, fma(sum1, sum1, fma(sum0, sum0, total))));
    at = a3 + row + 4u;
  }
  for (; row < params.dimensions; row += 1u) {
    var sum = vec4f(0.0);
    for (var k = 0u; k <= row; k += 1u) { sum = fma(vec4f(factor[at + k]), centred(x, m, k), sum); }
    total = fma(sum, sum, total);
    at += row + 1u;
  }
  let distances = sqrt(total);
  for (var i = 0u; i < min(4u, params.images - image); i++) {
    result[(image + i) * params.positions + place] = distances[i];
  }
}
