// Inverse Cholesky factors, in place: matrix[position] holds a packed co-moment C and becomes W = L⁻¹ where
// C / max(seen − 1, 1) + ridge·I = LLᵀ. Element (i, j), j ≤ i, is at i(i+1)/2 + j.
// One workgroup a position. The factor goes column by column, thread t computing the rows j + t, j + t + 64, … (each thread
// computes the pivot for itself, which saves a barrier); the inverse row by row, thread t computing the columns t, t + 64,
// …, a round of which reads before it stores because it overwrites the row's factor. The choice on hardware.

struct Params {
  count: u32,        // positions of this run
  dimensions: u32,
  triangle: u32,     // elements a triangle
  skip: u32,         // words in front of the first position
  ridge: f32,        // added to the diagonal of the covariance
}

@group(0) @binding(0) var<storage, read_write> matrix: array<f32>;   // [count, triangle], packed
@group(0) @binding(1) var<storage, read> seen: array<f32>;           // [1]: images behind the co-moment
@group(0) @binding(2) var<uniform> params: Params;

const WORKGROUP: u32 = 64u;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let position = group.x + group.y * groups.x;
  if (position >= params.count) { return; }
  let base = params.skip + position * params.triangle;
  let scale = 1.0 / max(seen[0] - 1.0, 1.0);

  for (var j = 0u; j < params.dimensions; j += 1u) {
    let other = base + j * (j + 1u) / 2u;
    let before = matrix[other + j] * scale + params.ridge;
    storageBarrier();
    for (var i = j + lane; i < params.dimensions; i += WORKGROUP) {
      let row = base + i * (i + 1u) / 2u;
      var square = before;
      var sum = before;
      if (i > j) { sum = matrix[row + j] * scale; }
      for (var k = 0u; k < j; k += 1u) {
        let value = matrix[other + k];
        square -= value * value;
        sum -= value * matrix[row + k];
      }
      let pivot = sqrt(square);
      matrix[row + j] = select(pivot, sum / pivot, i > j);
    }
    storageBarrier();
  }

  for (var i = 0u; i < params.dimensions; i += 1u) {
    let row = base + i * (i + 1u) / 2u;
    let pivot = 1.0 / matrix[row + i];
    for (var first = 0u; first < i; first += WORKGROUP) {
      let j = first + lane;
      var sum = 0.0;
      if (j < i) {
        var above = base + j * (j + 1u) / 2u + j;
        for (var k = j; k < i; k += 1u) {
          sum += matrix[row + k] * matrix[above];
          above += k + 1u;
        }
      }
      storageBarrier();
      if (j < i) { matrix[row + j] = -pivot * sum; }
    }
    storageBarrier();
    if (lane == 0u) { matrix[row + i] = pivot; }
  }
}
