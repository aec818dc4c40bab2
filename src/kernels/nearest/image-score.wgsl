// PatchCore's score of an image: the distance of its farthest patch, weighted by how unusual that patch is among the
// neighbours of its nearest bank row: w = 1 − softmax over these rows of their distances to the patch, taken at the first
// (the nearest row itself). One workgroup; thread t measures row t.

struct Params {
  rows: u32,    // at most 16
  vectors: u32, // elements of a row / 4
}

@group(0) @binding(0) var<storage, read> patch_row: array<vec4f>; // [vectors]
@group(0) @binding(1) var<storage, read> support: array<vec4f>;   // [rows][vectors]
@group(0) @binding(2) var<storage, read> farthest: array<f32>;    // distance of the patch to its nearest row
@group(0) @binding(3) var<storage, read_write> score: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

var<workgroup> distances: array<f32, 16>;

@compute @workgroup_size(16)
fn main(@builtin(local_invocation_index) lane: u32) {
  if (lane < params.rows) {
    var sum = 0.0;
    for (var k = 0u; k < params.vectors; k++) {
      let difference = patch_row[k] - support[lane * params.vectors + k];
      sum += dot(difference, difference);
    }
    distances[lane] = sqrt(sum);
  }
  workgroupBarrier();
  if (lane > 0u) { return; }
  var largest = distances[0];
  for (var row = 1u; row < params.rows; row++) { largest = max(largest, distances[row]); }
  var total = 0.0;
  for (var row = 0u; row < params.rows; row++) { total += exp(distances[row] - largest); }
  score[0] = (1.0 - exp(distances[0] - largest) / total) * farthest[0];
}
