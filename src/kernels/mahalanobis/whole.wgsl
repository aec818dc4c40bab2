// Mahalanobis distances to one Gaussian a position: result[b][p] = |W_p (x_bp − μ_p)|, W_p a packed lower triangle.
// Against tiled.wgsl: a workgroup copies the whole triangle of its position into workgroup memory as it lies, in loads that
// do not wait for each other, with one barrier instead of a dozen. Thread t then multiplies the rows t, t + THREADS, … with
// the images' centred features. Row i begins at word i(i + 1)/2, and any 32 neighbouring triangular numbers differ modulo
// 32: no two threads read one bank. The choice on hardware where the triangle fits.
// Joined with gaussians.wgsl.

const DIMENSIONS: u32 = 100u;
const TRIANGLE: u32 = 5050u;
const VECTORS: u32 = 1u;   // vectors of four images
const THREADS: u32 = 128u;

var<workgroup> weights: array<f32, TRIANGLE>;
var<workgroup> centred: array<vec4f, DIMENSIONS * VECTORS>; // [column, vector]
var<workgroup> squares: array<vec4f, THREADS * VECTORS>;    // [thread, vector]

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let position = group.x + group.y * groups.x;
  if (position >= params.count) { return; }
  let place = params.first + position;
  let base = params.skip + position * TRIANGLE;
  for (var i = lane; i < TRIANGLE; i += THREADS) { weights[i] = factor[base + i]; }
  // Neighbouring threads take neighbouring columns of one image.
  let first = group.z * 4u * VECTORS;
  for (var i = lane; i < DIMENSIONS * VECTORS * 4u; i += THREADS) {
    let slot = i / DIMENSIONS;
    let k = i % DIMENSIONS;
    // The last image stands in for those that do not exist.
    let image = min(first + slot, params.images - 1u);
    let value = features[(image * params.positions + place) * DIMENSIONS + k] - mean[place * DIMENSIONS + k];
    centred[k * VECTORS + slot / 4u][slot % 4u] = value;
  }
  workgroupBarrier();
  var totals: array<vec4f, VECTORS>;
  for (var row = lane; row < DIMENSIONS; row += THREADS) {
    let at = row * (row + 1u) / 2u;
    var sums = array<vec4f, VECTORS>();
    for (var k = 0u; k <= row; k++) {
      let weight = vec4f(weights[at + k]);
      for (var v = 0u; v < VECTORS; v++) { // unroll
        sums[v] = fma(weight, centred[k * VECTORS + v], sums[v]);
      }
    }
    for (var v = 0u; v < VECTORS; v++) { // unroll
      totals[v] = fma(sums[v], sums[v], totals[v]);
    }
  }
  for (var v = 0u; v < VECTORS; v++) { // unroll
    squares[lane * VECTORS + v] = totals[v];
  }
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      for (var v = 0u; v < VECTORS; v++) { // unroll
        squares[lane * VECTORS + v] += squares[(lane + half) * VECTORS + v];
      }
    }
  }
  workgroupBarrier();
  if (lane < 4u * VECTORS && first + lane < params.images) {
    result[(first + lane) * params.positions + place] = sqrt(squares[lane / 4u][lane % 4u]);
  }
}
