// Mahalanobis distances to one Gaussian a position: result[b][p] = |W_p (x_bp − μ_p)|, W_p a packed lower triangle.
// Against rows.wgsl: W is read once for up to 4 · VECTORS images, and neighbouring threads read neighbouring words of it.
// One workgroup a position takes W through workgroup memory in tiles of 64 rows × 32 columns; thread t then multiplies
// row t of the tile with the images' centred features. The choice on hardware.
// Joined with gaussians.wgsl.

const VECTORS: u32 = 1u;   // vectors of four images, at most 4
const ROWS: u32 = 64u;     // of a tile: threads
const COLUMNS: u32 = 32u;
// A word of padding: the threads' rows begin in different banks. Also the pitch of the sums at the end.
const PITCH: u32 = 33u;
const SUMS_PITCH: u32 = 65u;

var<workgroup> tile: array<f32, ROWS * PITCH>;
var<workgroup> centred: array<vec4f, COLUMNS * VECTORS>;   // [columns, vectors]

// Column `k` of the position's centred features of four images.
fn centred_at(image: u32, place: u32, k: u32) -> vec4f {
  var value = vec4f(0.0);
  if (k < params.dimensions) {
    let centre = mean[place * params.dimensions + k];
    let stride = params.positions * params.dimensions;
    let at = image * stride + place * params.dimensions + k;
    if (image < params.images) { value.x = features[at] - centre; }
    if (image + 1u < params.images) { value.y = features[at + stride] - centre; }
    if (image + 2u < params.images) { value.z = features[at + 2u * stride] - centre; }
    if (image + 3u < params.images) { value.w = features[at + 3u * stride] - centre; }
  }
  return value;
}

@compute @workgroup_size(ROWS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let position = group.x + group.y * groups.x;
  if (position >= params.count) { return; }
  let image = group.z * 4u * VECTORS;
  let place = params.first + position;
  let base = params.skip + position * params.triangle;
  let column = lane % COLUMNS;
  let line = lane / COLUMNS;
  var totals: array<vec4f, VECTORS>;
  for (var panel = 0u; panel < params.dimensions; panel += ROWS) {
    let end = min(panel + ROWS, params.dimensions);
    var sums = array<vec4f, VECTORS>();
    for (var first = 0u; first < end; first += COLUMNS) {
      // Rows in front of the tile's first column have nothing in it.
      let begin = max(panel, first);
      let k = first + column;
      workgroupBarrier();
      for (var row = begin + line; row < end; row += ROWS / COLUMNS) {
        var value = 0.0;
        if (k <= row) { value = factor[base + row * (row + 1u) / 2u + k]; }
        tile[(row - panel) * PITCH + column] = value;
      }
      for (var v = line; v < VECTORS; v += ROWS / COLUMNS) {
        centred[column * VECTORS + v] = centred_at(image + 4u * v, place, k);
      }
      workgroupBarrier();
      if (panel + lane >= begin && panel + lane < end) {
        for (var i = 0u; i < COLUMNS; i++) {
          let weight = vec4f(tile[lane * PITCH + i]);
          for (var v = 0u; v < VECTORS; v++) { // unroll
            sums[v] = fma(weight, centred[i * VECTORS + v], sums[v]);
          }
        }
      }
    }
    for (var v = 0u; v < VECTORS; v++) { // unroll
      totals[v] = fma(sums[v], sums[v], totals[v]);
    }
  }
  workgroupBarrier();
  for (var v = 0u; v < VECTORS; v++) { // unroll
    tile[v * 4u * SUMS_PITCH + lane] = totals[v].x;
    tile[(v * 4u + 1u) * SUMS_PITCH + lane] = totals[v].y;
    tile[(v * 4u + 2u) * SUMS_PITCH + lane] = totals[v].z;
    tile[(v * 4u + 3u) * SUMS_PITCH + lane] = totals[v].w;
  }
  workgroupBarrier();
  if (lane >= 4u * VECTORS || image + lane >= params.images) { return; }
  var total = 0.0;
  for (var i = 0u; i < ROWS; i++) { total += tile[lane * SUMS_PITCH + i]; }
  result[(image + lane) * params.positions + place] = sqrt(total);
}
