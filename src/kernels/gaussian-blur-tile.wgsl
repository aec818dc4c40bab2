// Separable Gaussian blur with reflected borders over maps of one channel: both passes at once.
// Against gaussian-blur-strip.wgsl: what lies between the passes stays in workgroup memory, so the map is read and written
// once, by one launch, and neighbouring threads read and write neighbouring elements. A workgroup computes a tile of 32
// columns × 64 rows. The price is a half more arithmetic along the width, for the rows above and below the tile.
// The choice on hardware. Workgroup (x, y, b) computes tile (x, y) of map b; the width is a multiple of four.
// Wants radius < height and width: one reflection is enough.

struct Params {
  height: i32,
  width: i32,
  longest_loop: u32,
}

@group(0) @binding(0) var<storage, read> vectors: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

const TAPS: u32 = 33u;
const RADIUS: u32 = 16u;
const LEAD: u32 = 16u;       // the radius in whole vectors
const REACH: u32 = 40u;      // 8 + 2 · LEAD: columns that a thread loads for eight outputs
const LINES: u32 = 96u;      // 64 + 2 · RADIUS
const PITCH: u32 = 33u;      // 32 columns and a word of padding, so that threads of different rows use different banks

var<workgroup> lines: array<f32, LINES * PITCH>;

// Only what is not stored looks further than one reflection.
fn reflected(position: i32, length: i32) -> i32 {
  let last = length - 1;
  return max(last - abs(last - abs(position)), 0);
}

fn element(line: i32, column: i32) -> f32 {
  let at = line + reflected(column, params.width);
  return vectors[at / 4][at % 4];
}

// Columns `column` … `column + 3` of the row that begins at element `line`.
fn load(line: i32, column: i32) -> vec4f {
  if (column >= 0 && column < params.width) { return vectors[(line + column) / 4]; }
  return vec4f(element(line, column), element(line, column + 1), element(line, column + 2), element(line, column + 3));
}

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let left = i32(group.x * 32u);
  let top = i32(group.y * 64u);
  let map = i32(group.z) * params.height;
  // Along the width: eight outputs of a line a turn.
  for (var task = lane; task < LINES * 4u; task += 128u) {
    let line = task / 4u;
    let column = task % 4u * 8u;
    let row = (map + reflected(top + i32(line) - i32(RADIUS), params.height)) * params.width;
    var values = array<f32, REACH>();
    for (var i = 0u; i < REACH / 4u; i++) { // unroll-memory
      let four = load(row, left + i32(column + 4u * i) - i32(LEAD));
      values[4u * i] = four.x;
      values[4u * i + 1u] = four.y;
      values[4u * i + 2u] = four.z;
      values[4u * i + 3u] = four.w;
    }
    for (var i = 0u; i < 8u; i++) { // unroll
      var sum = 0.0;
      for (var tap = 0u; tap < TAPS; tap++) { // unroll
        sum = fma(WEIGHTS[tap], values[i + tap + LEAD - RADIUS], sum);
      }
      lines[line * PITCH + column + i] = sum;
    }
  }
  workgroupBarrier();
  // Along the height: four outputs of a column a turn, sixteen a thread.
  let column = lane % 32u;
  if (left + i32(column) >= params.width) { return; }
  for (var turn = 0u; turn < 4u; turn++) {
    let first = lane / 32u * 16u + turn * 4u;
    var window = array<f32, TAPS + 3u>();
    for (var i = 0u; i < TAPS + 3u; i++) { // unroll-memory
      window[i] = lines[(first + i) * PITCH + column];
    }
    var sums = vec4f(0.0);
    for (var tap = 0u; tap < TAPS; tap++) { // unroll
      sums = fma(vec4f(WEIGHTS[tap]), vec4f(window[tap], window[tap + 1u], window[tap + 2u], window[tap + 3u]), sums);
    }
    let y = top + i32(first);
    let at = (map + y) * params.width + left + i32(column);
    if (y < params.height) { result[at] = sums.x; }
    if (y + 1 < params.height) { result[at + params.width] = sums.y; }
    if (y + 2 < params.height) { result[at + 2 * params.width] = sums.z; }
    if (y + 3 < params.height) { result[at + 3 * params.width] = sums.w; }
  }
}
