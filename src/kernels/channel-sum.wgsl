// One level of the sum of every channel: a matrix of rows × channels becomes one of partials × channels.
// Each workgroup sums ITEMS · (64 / COLUMNS) rows of COLUMNS channels: lane l takes channel l mod COLUMNS and every
// (64 / COLUMNS)-th row, then the lanes of a channel are folded pairwise. The order is fixed.

struct Params {
  rows: u32,
  channels: u32,
  partials: u32,
}

@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

const COLUMNS: u32 = 64u;
const ITEMS: u32 = 64u;
const ROW_LANES: u32 = 64u / COLUMNS;

var<workgroup> lanes: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let channel = group.x * COLUMNS + lane % COLUMNS;
  let partial = group.y;
  var sum = 0.0;
  if (channel < params.channels) {
    let first = partial * ITEMS * ROW_LANES + lane / COLUMNS;
    for (var item = 0u; item < ITEMS; item++) {
      let row = first + item * ROW_LANES;
      if (row >= params.rows) { break; }
      sum += source[row * params.channels + channel];
    }
  }
  lanes[lane] = sum;
  for (var half = 32u; half >= COLUMNS; half >>= 1u) {
    workgroupBarrier();
    if (lane < half) { lanes[lane] += lanes[lane + half]; }
  }
  if (lane < COLUMNS && channel < params.channels) {
    result[partial * params.channels + channel] = lanes[lane];
  }
}
