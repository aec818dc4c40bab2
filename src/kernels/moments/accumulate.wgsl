// Second step of the streaming update: adds the outer products of the prepared rows to the packed co-moments of a run of
// positions. comoment[position](i, j) += Σ_k rows[position][k][i] · rows[position][k][j] for j ≤ i.
// Thread t owns one 4×4 block of one position's lower triangle; per row it loads two vectors for 16 multiply-adds.
// The blocks of a triangle are numbered like its elements: (I, J) is I(I+1)/2 + J. The choice on software adapters.

struct Params {
  count: u32,        // positions of this run
  rows: u32,         // rows to add: batch + 1
  dimensions: u32,
  vectors: u32,      // vectors of four a row: dimensions / 4, rounded up
  blocks: u32,       // blocks a triangle
  triangle: u32,     // elements a triangle
  skip: u32,         // words in front of the first position
}

@group(0) @binding(0) var<storage, read> rows: array<vec4f>;             // [count, rows, vectors]
@group(0) @binding(1) var<storage, read_write> comoment: array<f32>;     // [count, triangle], packed
@group(0) @binding(2) var<uniform> params: Params;

fn add_row(start: u32, row: u32, column: u32, values: vec4f) {
  if (row >= params.dimensions) { return; }
  let base = start + row * (row + 1u) / 2u + column;
  let width = min(4u, row + 1u - column);
  comoment[base] += values.x;
  if (width > 1u) { comoment[base + 1u] += values.y; }
  if (width > 2u) { comoment[base + 2u] += values.z; }
  if (width > 3u) { comoment[base + 3u] += values.w; }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  let position = index / params.blocks;
  let block = index % params.blocks;
  if (position >= params.count) { return; }
  // The root is only a guess near the next integer; the comparisons make it exact.
  var block_row = u32((sqrt(8.0 * f32(block) + 1.0) - 1.0) * 0.5);
  if (block_row * (block_row + 1u) / 2u > block) { block_row -= 1u; }
  if ((block_row + 1u) * (block_row + 2u) / 2u <= block) { block_row += 1u; }
  let block_column = block - block_row * (block_row + 1u) / 2u;

  var sum0 = vec4f(0.0);
  var sum1 = vec4f(0.0);
  var sum2 = vec4f(0.0);
  var sum3 = vec4f(0.0);
  var at = position * params.rows * params.vectors;
  for (var k = 0u; k < params.rows; k += 1u) {
    let left = rows[at + block_row];
    let right = rows[at + block_column];
    sum0 += left.x * right;
    sum1 += left.y * right;
    sum2 += left.z * right;
    sum3 += left.w * right;
    at += params.vectors;
  }
  let start = params.skip + position * params.triangle;
  let row = block_row * 4u;
  let column = block_column * 4u;
  add_row(start, row, column, sum0);
  add_row(start, row + 1u, column, sum1);
  add_row(start, row + 2u, column, sum2);
  add_row(start, row + 3u, column, sum3);
}
