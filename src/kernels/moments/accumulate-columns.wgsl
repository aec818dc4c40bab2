// Second step of the streaming update: adds the outer products of the prepared rows to the packed co-moments of a run of
// positions. comoment[position](i, j) += Σ_k rows[position][k][i] · rows[position][k][j] for j ≤ i.
// Against accumulate.wgsl: neighbouring threads change neighbouring words of the co-moment. One workgroup a position:
// thread t holds column t of 64 in registers, for all rows k, and goes down the lines i, whose values lie in workgroup
// memory in tiles of 32. The choice on hardware.

struct Params {
  count: u32,        // positions of this run
  rows: u32,         // rows to add, at most 4 · VECTORS
  dimensions: u32,
  width: u32,        // words a row
  triangle: u32,     // elements a triangle
  skip: u32,         // words in front of the first position
}

@group(0) @binding(0) var<storage, read> rows: array<f32>;               // [count, rows, width]
@group(0) @binding(1) var<storage, read_write> comoment: array<f32>;     // [count, triangle], packed
@group(0) @binding(2) var<uniform> params: Params;

const VECTORS: u32 = 3u;     // vectors of four rows, at most 16
const COLUMNS: u32 = 64u;    // threads
const LINES: u32 = 32u;

var<workgroup> tile: array<vec4f, LINES * VECTORS>;   // [lines, vectors]

// Channel `channel` of rows k … k + 3 of the position whose rows begin at `start`.
fn values_at(start: u32, k: u32, channel: u32) -> vec4f {
  var values = vec4f(0.0);
  let at = start + k * params.width + channel;
  if (channel < params.dimensions) {
    if (k < params.rows) { values.x = rows[at]; }
    if (k + 1u < params.rows) { values.y = rows[at + params.width]; }
    if (k + 2u < params.rows) { values.z = rows[at + 2u * params.width]; }
    if (k + 3u < params.rows) { values.w = rows[at + 3u * params.width]; }
  }
  return values;
}

fn product(line: u32, right: array<vec4f, VECTORS>) -> f32 {
  var sum = vec4f(0.0);
  for (var v = 0u; v < VECTORS; v++) { // unroll
    sum = fma(tile[line * VECTORS + v], right[v], sum);
  }
  return (sum.x + sum.y) + (sum.z + sum.w);
}

@compute @workgroup_size(COLUMNS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let position = group.x + group.y * groups.x;
  if (position >= params.count) { return; }
  let start = position * params.rows * params.width;
  let base = params.skip + position * params.triangle;
  for (var block = 0u; block < params.dimensions; block += COLUMNS) {
    let column = block + lane;
    var right = array<vec4f, VECTORS>();
    for (var v = 0u; v < VECTORS; v++) { // unroll
      right[v] = values_at(start, 4u * v, column);
    }
    for (var first = block; first < params.dimensions; first += LINES) {
      workgroupBarrier();
      for (var v = lane / LINES; v < VECTORS; v += COLUMNS / LINES) {
        tile[lane % LINES * VECTORS + v] = values_at(start, 4u * v, first + lane % LINES);
      }
      workgroupBarrier();
      // Four lines a turn: their loads do not wait for each other's stores.
      for (var line = 0u; line < min(LINES, params.dimensions - first); line += 4u) {
        let i = first + line;
        let at = base + i * (i + 1u) / 2u + column;
        let places = vec4u(at, at + i + 1u, at + 2u * i + 3u, at + 3u * i + 6u);
        let lines = vec4u(i, i + 1u, i + 2u, i + 3u);
        let inside = (lines < vec4u(params.dimensions)) & (lines >= vec4u(column));
        var sums = vec4f(0.0);
        if (inside.x) { sums.x = comoment[places.x]; }
        if (inside.y) { sums.y = comoment[places.y]; }
        if (inside.z) { sums.z = comoment[places.z]; }
        if (inside.w) { sums.w = comoment[places.w]; }
        sums += vec4f(product(line, right), product(line + 1u, right), product(line + 2u, right), product(line + 3u, right));
        if (inside.x) { comoment[places.x] = sums.x; }
        if (inside.y) { comoment[places.y] = sums.y; }
        if (inside.z) { comoment[places.z] = sums.z; }
        if (inside.w) { comoment[places.w] = sums.w; }
      }
    }
  }
}
