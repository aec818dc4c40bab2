// Matrix product, optionally of transposed operands: the plain sum, kept as the second oracle of the tests and for
// shapes that no other variant takes.
// Thread t computes output element t; it reads every operand of its sum from memory.

struct Params {
  count: u32, // outputs
  rows: u32, columns: u32, inner: u32,
  transpose_a: u32, transpose_b: u32,
  has_bias: u32, has_residual: u32, activation: u32,
}

@group(0) @binding(0) var<storage, read> a: array<f32>; // [batch, rows, inner], or [batch, inner, rows] when transposed
@group(0) @binding(1) var<storage, read> b: array<f32>; // [batch, inner, columns], or [batch, columns, inner]
@group(0) @binding(4) var<storage, read_write> result: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let column = index % params.columns;
  let row = index / params.columns % params.rows;
  let batch = index / params.columns / params.rows;
  let first_a = batch * params.rows * params.inner + select(row * params.inner, row, params.transpose_a != 0u);
  let step_a = select(1u, params.rows, params.transpose_a != 0u);
  let first_b = batch * params.columns * params.inner + select(column, column * params.inner, params.transpose_b != 0u);
  let step_b = select(params.columns, 1u, params.transpose_b != 0u);
  var sum = 0.0;
  for (var k = 0u; k < params.inner; k++) {
    sum += a[first_a + k * step_a] * b[first_b + k * step_b];
  }
  result[index] = finish(sum, bias_of(column), index);
}
