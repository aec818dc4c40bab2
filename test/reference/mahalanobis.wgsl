// Naïve twin: thread t computes the distance of one (image, position), one element of W after the other.

struct Params {
  count: u32,
  positions: u32,
  dimensions: u32,
}

@group(0) @binding(0) var<storage, read> features: array<f32>;
@group(0) @binding(1) var<storage, read> mean: array<f32>;
@group(0) @binding(2) var<storage, read> factor: array<f32>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let t = (group.x + group.y * groups.x) * 64u + lane;
  if (t >= params.count) { return; }
  let d = params.dimensions;
  let position = t % params.positions;
  var at = position * (d * (d + 1u) / 2u);
  var total = 0.0;
  for (var i = 0u; i < d; i += 1u) {
    var sum = 0.0;
    for (var j = 0u; j <= i; j += 1u) {
      sum += factor[at] * (features[t * d + j] - mean[position * d + j]);
      at += 1u;
    }
    total += sum * sum;
  }
  result[t] = sqrt(total);
}
