// Mean and sum of squared deviations of blocks of 2048 elements of an image.
// Workgroup (block, image): each of 64 lanes takes every 64th element, in two passes so that nothing cancels; then the
// lanes are joined pairwise (Chan, Golub and LeVeque), always in the same order.

struct Params {
  length: u32,    // elements of an image
  blocks: u32,    // of an image
}

@group(0) @binding(0) var<storage, read> input: array<f32>;
@group(0) @binding(1) var<storage, read_write> partials: array<f32>; // [images, blocks, 2]
@group(0) @binding(2) var<uniform> params: Params;

const ITEMS: u32 = 32u;

var<workgroup> counts: array<f32, 64>;
var<workgroup> means: array<f32, 64>;
var<workgroup> squares: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = group.x * ITEMS * 64u + lane;
  let base = group.y * params.length;
  var count = 0.0;
  var sum = 0.0;
  for (var item = 0u; item < ITEMS; item++) {
    let at = first + item * 64u;
    if (at >= params.length) { break; }
    sum += input[base + at];
    count += 1.0;
  }
  let mean = sum / max(count, 1.0);
  var square = 0.0;
  for (var item = 0u; item < ITEMS; item++) {
    let at = first + item * 64u;
    if (at >= params.length) { break; }
    let deviation = input[base + at] - mean;
    square += deviation * deviation;
  }
  counts[lane] = count;
  means[lane] = mean;
  squares[lane] = square;
  for (var half = 32u; half > 0u; half >>= 1u) {
    workgroupBarrier();
    if (lane < half) {
      let other = counts[lane + half];
      let total = counts[lane] + other;
      let distance = means[lane + half] - means[lane];
      let share = other / max(total, 1.0);
      squares[lane] += squares[lane + half] + distance * distance * counts[lane] * share;
      means[lane] += distance * share;
      counts[lane] = total;
    }
  }
  if (lane == 0u) {
    let at = 2u * (group.y * params.blocks + group.x);
    partials[at] = means[0];
    partials[at + 1u] = squares[0];
  }
}
