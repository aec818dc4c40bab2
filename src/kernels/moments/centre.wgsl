// First step of the streaming update of mean and co-moment (Chan, Golub and LeVeque 1979), for a run of positions.
// From the n valid images of a batch and the images seen before (N), for each position and channel:
//   m = mean of the n values, δ = m − mean before
//   rows[position][k] = x_k − m for k < n, zero for the images that are none, and in the last row δ·sqrt(N·n / (N + n))
//   mean = mean before + δ·n / (N + n)
// so that the sum of the rows' outer products is exactly what the co-moment grows by.
// Thread t computes one channel of one position; channels are padded with zeros to whole vectors.

struct Params {
  batch: u32,       // images a batch can hold
  positions: u32,   // of the features
  dimensions: u32,
  width: u32,       // dimensions, rounded up to a multiple of 4
  first: u32,       // first position of this run
  count: u32,       // positions of this run
}

@group(0) @binding(0) var<storage, read> features: array<f32>;      // [batch, positions, dimensions]
@group(0) @binding(1) var<storage, read> valid: array<f32>;         // [1]
@group(0) @binding(2) var<storage, read> seen: array<f32>;          // [1]
@group(0) @binding(3) var<storage, read_write> mean: array<f32>;    // [positions, dimensions]
@group(0) @binding(4) var<storage, read_write> rows: array<f32>;    // [count, batch + 1, width]
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  let row = index / params.width;
  let channel = index % params.width;
  if (row >= params.count) { return; }
  let target_base = row * (params.batch + 1u) * params.width + channel;
  if (channel >= params.dimensions) {
    for (var k = 0u; k <= params.batch; k += 1u) { rows[target_base + k * params.width] = 0.0; }
    return;
  }
  let images = min(u32(valid[0]), params.batch);
  let n = f32(images);
  let before = seen[0];
  let place = (params.first + row) * params.dimensions + channel;
  let step = params.positions * params.dimensions;
  var sum = 0.0;
  for (var k = 0u; k < images; k += 1u) { sum += features[k * step + place]; }
  let batch_mean = sum / max(n, 1.0);
  for (var k = 0u; k < params.batch; k += 1u) {
    var centred = 0.0;
    if (k < images) { centred = features[k * step + place] - batch_mean; }
    rows[target_base + k * params.width] = centred;
  }
  var change = 0.0;
  if (images > 0u) { change = batch_mean - mean[place]; }
  let total = max(before + n, 1.0);
  rows[target_base + params.batch * params.width] = change * sqrt(before * n / total);
  mean[place] += change * (n / total);
}
