// Naïve twin: co-moment of all images at once, thread t computes element t of [positions, triangle] in two passes.

struct Params {
  count: u32,
  images: u32,
  positions: u32,
  dimensions: u32,
}

@group(0) @binding(0) var<storage, read> features: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let t = (group.x + group.y * groups.x) * 64u + lane;
  if (t >= params.count) { return; }
  let d = params.dimensions;
  let triangle = d * (d + 1u) / 2u;
  var j = t % triangle;
  var i = 0u;
  for (; j > i; i += 1u) { j -= i + 1u; }
  let place = (t / triangle) * d;
  let step = params.positions * d;
  var mean_i = 0.0;
  var mean_j = 0.0;
  for (var k = 0u; k < params.images; k += 1u) {
    mean_i += features[k * step + place + i];
    mean_j += features[k * step + place + j];
  }
  mean_i /= f32(params.images);
  mean_j /= f32(params.images);
  var sum = 0.0;
  for (var k = 0u; k < params.images; k += 1u) {
    sum += (features[k * step + place + i] - mean_i) * (features[k * step + place + j] - mean_j);
  }
  result[t] = sum;
}
