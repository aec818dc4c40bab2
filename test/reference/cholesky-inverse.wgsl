// Naïve twin: inverse Cholesky factor of comoment · scale + ridge·I, element by element; the thread of a triangle's first
// element does the whole triangle.

struct Params {
  count: u32,
  dimensions: u32,
  scale: f32,
  ridge: f32,
}

@group(0) @binding(0) var<storage, read> comoment: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

fn start(i: u32) -> u32 { return i * (i + 1u) / 2u; }

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let t = (group.x + group.y * groups.x) * 64u + lane;
  let d = params.dimensions;
  if (t >= params.count || t % start(d) != 0u) { return; }
  for (var i = 0u; i < d; i += 1u) {
    for (var j = 0u; j <= i; j += 1u) {
      var sum = comoment[t + start(i) + j] * params.scale;
      if (i == j) { sum += params.ridge; }
      for (var k = 0u; k < j; k += 1u) { sum -= result[t + start(i) + k] * result[t + start(j) + k]; }
      if (i == j) { sum = sqrt(sum); } else { sum /= result[t + start(j) + j]; }
      result[t + start(i) + j] = sum;
    }
  }
  for (var i = 0u; i < d; i += 1u) {
    let pivot = 1.0 / result[t + start(i) + i];
    for (var j = 0u; j < i; j += 1u) {
      var sum = 0.0;
      for (var k = j; k < i; k += 1u) { sum += result[t + start(i) + k] * result[t + start(k) + j]; }
      result[t + start(i) + j] = -pivot * sum;
    }
    result[t + start(i) + i] = pivot;
  }
}
