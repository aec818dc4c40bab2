// Cholesky factor and its inverse in 4×4 blocks, in place on a packed lower triangle: (i, j) is at i(i+1)/2 + j.
// Shared by the variants, which differ in who computes which block; every block is computed the same way, so the
// variants give the same numbers. `base` is the first word of the invocation's triangle.
// A block is kept as four column vectors whose lanes are the block's rows: 8 loads serve 16 multiply-adds.
// The last block of rows may reach past the triangle: those lanes repeat the last row and are not stored.

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

var<private> base: u32;

/** First word of row i. */
fn row_start(i: u32) -> u32 { return base + i * (i + 1u) / 2u; }

/** First words of the rows i … i+3, the last row repeated. */
fn row_starts(i: u32) -> vec4u {
  let last = params.dimensions - 1u;
  return vec4u(row_start(i), row_start(min(i + 1u, last)), row_start(min(i + 2u, last)), row_start(min(i + 3u, last)));
}

/** Column k of four rows. */
fn column(rows: vec4u, k: u32) -> vec4f {
  return vec4f(matrix[rows.x + k], matrix[rows.y + k], matrix[rows.z + k], matrix[rows.w + k]);
}

fn store_column(rows: vec4u, i: u32, k: u32, values: vec4f) {
  matrix[rows.x + k] = values.x;
  if (i + 1u < params.dimensions) { matrix[rows.y + k] = values.y; }
  if (i + 2u < params.dimensions) { matrix[rows.z + k] = values.z; }
  if (i + 3u < params.dimensions) { matrix[rows.w + k] = values.w; }
}

/** Stores the lower half of a block on the diagonal. */
fn store_diagonal(rows: vec4u, i: u32, block: mat4x4f) {
  matrix[rows.x + i] = block[0].x;
  if (i + 1u < params.dimensions) {
    matrix[rows.y + i] = block[0].y;
    matrix[rows.y + i + 1u] = block[1].y;
  }
  if (i + 2u < params.dimensions) {
    matrix[rows.z + i] = block[0].z;
    matrix[rows.z + i + 1u] = block[1].z;
    matrix[rows.z + i + 2u] = block[2].z;
  }
  if (i + 3u < params.dimensions) {
    matrix[rows.w + i] = block[0].w;
    matrix[rows.w + i + 1u] = block[1].w;
    matrix[rows.w + i + 2u] = block[2].w;
    matrix[rows.w + i + 3u] = block[3].w;
  }
}

/** Loads the lower half of a block on the diagonal; a row past the triangle becomes the identity's. */
fn load_diagonal(rows: vec4u, i: u32) -> mat4x4f {
  var block = mat4x4f(1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0);
  block[0].x = matrix[rows.x + i];
  if (i + 1u < params.dimensions) {
    block[0].y = matrix[rows.y + i];
    block[1].y = matrix[rows.y + i + 1u];
  }
  if (i + 2u < params.dimensions) {
    block[0].z = matrix[rows.z + i];
    block[1].z = matrix[rows.z + i + 1u];
    block[2].z = matrix[rows.z + i + 2u];
  }
  if (i + 3u < params.dimensions) {
    block[0].w = matrix[rows.w + i];
    block[1].w = matrix[rows.w + i + 1u];
    block[2].w = matrix[rows.w + i + 2u];
    block[3].w = matrix[rows.w + i + 3u];
  }
  return block;
}

/** Replaces the block (i, i) of the co-moment by the factor's; the factor's blocks to its left must be there. */
fn factor_diagonal(i: u32, scale: f32) {
  let rows = row_starts(i);
  let a = load_diagonal(rows, i);
  var c0 = a[0] * scale + vec4f(params.ridge, 0.0, 0.0, 0.0);
  var c1 = a[1] * scale + vec4f(0.0, params.ridge, 0.0, 0.0);
  var c2 = a[2] * scale + vec4f(0.0, 0.0, params.ridge, 0.0);
  var c3 = a[3] * scale + vec4f(0.0, 0.0, 0.0, params.ridge);
  for (var k = 0u; k < i; k += 1u) {
    let l = column(rows, k);
    c0 -= l.x * l;
    c1 -= l.y * l;
    c2 -= l.z * l;
    c3 -= l.w * l;
  }
  var pivot = sqrt(c0.x);
  c0 = c0 / pivot;
  c0.x = pivot;
  c1 -= c0.y * c0;
  pivot = sqrt(c1.y);
  c1 = c1 / pivot;
  c1.y = pivot;
  c2 -= c0.z * c0 + c1.z * c1;
  pivot = sqrt(c2.z);
  c2 = c2 / pivot;
  c2.z = pivot;
  c3 -= c0.w * c0 + c1.w * c1 + c2.w * c2;
  c3.w = sqrt(c3.w);
  store_diagonal(rows, i, mat4x4f(c0, c1, c2, c3));
}

/** Replaces the block (i, j), j < i, of the co-moment by the factor's. */
fn factor_block(i: u32, j: u32, scale: f32) {
  let rows = row_starts(i);
  let others = row_starts(j);
  var c0 = column(rows, j) * scale;
  var c1 = column(rows, j + 1u) * scale;
  var c2 = column(rows, j + 2u) * scale;
  var c3 = column(rows, j + 3u) * scale;
  for (var k = 0u; k < j; k += 1u) {
    let l = column(rows, k);
    let o = column(others, k);
    c0 -= o.x * l;
    c1 -= o.y * l;
    c2 -= o.z * l;
    c3 -= o.w * l;
  }
  let d = load_diagonal(others, j);
  c0 = c0 / d[0].x;
  c1 = (c1 - d[0].y * c0) / d[1].y;
  c2 = (c2 - d[0].z * c0 - d[1].z * c1) / d[2].z;
  c3 = (c3 - d[0].w * c0 - d[1].w * c1 - d[2].w * c2) / d[3].w;
  store_column(rows, i, j, c0);
  store_column(rows, i, j + 1u, c1);
  store_column(rows, i, j + 2u, c2);
  store_column(rows, i, j + 3u, c3);
}

/** Inverse of the factor's block (i, i), a lower triangle. */
fn inverse_diagonal(i: u32) -> mat4x4f {
  let l = load_diagonal(row_starts(i), i);
  let w00 = 1.0 / l[0].x;
  let w11 = 1.0 / l[1].y;
  let w22 = 1.0 / l[2].z;
  let w33 = 1.0 / l[3].w;
  let w10 = -l[0].y * w00 * w11;
  let w20 = -(l[0].z * w00 + l[1].z * w10) * w22;
  let w21 = -l[1].z * w11 * w22;
  let w30 = -(l[0].w * w00 + l[1].w * w10 + l[2].w * w20) * w33;
  let w31 = -(l[1].w * w11 + l[2].w * w21) * w33;
  let w32 = -l[2].w * w22 * w33;
  return mat4x4f(w00, w10, w20, w30, 0.0, w11, w21, w31, 0.0, 0.0, w22, w32, 0.0, 0.0, 0.0, w33);
}

/**
 * The block (i, j), j < i, of the inverse: −inverse(i, i) · Σ_k factor(i, k) · inverse(k, j). Rows above i hold the
 * inverse, row i still the factor from block j on. Stores nothing.
 */
fn inverse_block(i: u32, j: u32, diagonal: mat4x4f) -> mat4x4f {
  let rows = row_starts(i);
  let w = load_diagonal(row_starts(j), j);
  let l0 = column(rows, j);
  let l1 = column(rows, j + 1u);
  let l2 = column(rows, j + 2u);
  let l3 = column(rows, j + 3u);
  var c0 = w[0].x * l0 + w[0].y * l1 + w[0].z * l2 + w[0].w * l3;
  var c1 = w[1].y * l1 + w[1].z * l2 + w[1].w * l3;
  var c2 = w[2].z * l2 + w[2].w * l3;
  var c3 = w[3].w * l3;
  var at = row_start(j + 4u) + j;
  for (var k = j + 4u; k < i; k += 1u) {
    let l = column(rows, k);
    c0 += matrix[at] * l;
    c1 += matrix[at + 1u] * l;
    c2 += matrix[at + 2u] * l;
    c3 += matrix[at + 3u] * l;
    at += k + 1u;
  }
  return mat4x4f(-(diagonal * c0), -(diagonal * c1), -(diagonal * c2), -(diagonal * c3));
}

fn store_block(i: u32, j: u32, block: mat4x4f) {
  let rows = row_starts(i);
  store_column(rows, i, j, block[0]);
  store_column(rows, i, j + 1u, block[1]);
  store_column(rows, i, j + 2u, block[2]);
  store_column(rows, i, j + 3u, block[3]);
}
