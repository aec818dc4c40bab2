// Inverse Cholesky factors, in place: matrix[position] holds a packed co-moment C and becomes W = L⁻¹ where
// C / max(seen − 1, 1) + ridge·I = LLᵀ. Element (i, j), j ≤ i, is at i(i+1)/2 + j.
// One thread a position, without a barrier: the factor four rows by one column at a time (5 loads serve 4 multiply-adds),
// then the inverse one row by four columns. The choice on software adapters, where a barrier costs more than a load at
// scattered addresses. Few distinct loads and stores, because they are what compiling takes its time for.

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

/** Column k of four rows, given by their first words. */
fn column(rows: vec4u, k: u32) -> vec4f {
  return vec4f(matrix[rows.x + k], matrix[rows.y + k], matrix[rows.z + k], matrix[rows.w + k]);
}

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let position = (group.x + group.y * groups.x) * 16u + lane;
  if (position >= params.count) { return; }
  let base = params.skip + position * params.triangle;
  let d = params.dimensions;
  let scale = 1.0 / max(seen[0] - 1.0, 1.0);

  // The factor. Rows past the triangle repeat the last one and are not stored; of a column that reaches into the four
  // rows' diagonal block, only the rows from the diagonal on are.
  for (var i = 0u; i < d; i += 4u) {
    let own = vec4u(i, i + 1u, i + 2u, i + 3u);
    let row = min(own, vec4u(d - 1u));
    let rows = base + row * (row + 1u) / 2u;
    let columns = min(i + 4u, d);
    for (var j = 0u; j < columns; j += 1u) {
      let diagonal = own == vec4u(j);
      var sums = column(rows, j) * scale + select(vec4f(0.0), vec4f(params.ridge), diagonal);
      let other = base + j * (j + 1u) / 2u;
      for (var k = 0u; k < j; k += 1u) { sums -= matrix[other + k] * column(rows, k); }
      var pivot: f32;
      if (j < i) {
        pivot = matrix[other + j];
      } else {
        pivot = sqrt(dot(select(vec4f(0.0), sums, diagonal), vec4f(1.0)));
      }
      let values = select(sums / pivot, vec4f(pivot), diagonal);
      if (j <= own.x) { matrix[rows.x + j] = values.x; }
      if (j <= own.y && own.y < d) { matrix[rows.y + j] = values.y; }
      if (j <= own.z && own.z < d) { matrix[rows.z + j] = values.z; }
      if (j <= own.w && own.w < d) { matrix[rows.w + j] = values.w; }
    }
  }

  // The inverse: (i, j) = −Σ_k factor(i, k)·inverse(k, j) / factor(i, i) for j ≤ k < i. Columns go upwards, so that what
  // is overwritten of row i is not needed any more.
  var at = base;
  for (var i = 0u; i < d; i += 1u) {
    let pivot = 1.0 / matrix[at + i];
    for (var j = 0u; j < i; j += 4u) {
      let own = vec4u(j, j + 1u, j + 2u, j + 3u);
      var sums = vec4f(0.0);
      var above = base + j * (j + 1u) / 2u + j;
      for (var k = j; k < i; k += 1u) {
        let values = vec4f(matrix[above], matrix[above + 1u], matrix[above + 2u], matrix[above + 3u]);
        // Row k ends at its diagonal.
        sums += matrix[at + k] * select(vec4f(0.0), values, own <= vec4u(k));
        above += k + 1u;
      }
      sums *= -pivot;
      matrix[at + j] = sums.x;
      if (own.y < i) { matrix[at + own.y] = sums.y; }
      if (own.z < i) { matrix[at + own.z] = sums.z; }
      if (own.w < i) { matrix[at + own.w] = sums.w; }
    }
    matrix[at + i] = pivot;
    at += i + 1u;
  }
}
