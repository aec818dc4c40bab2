// Normalisation of 8-bit pixels, naïvely: thread t computes element t from the byte it needs.

struct Params {
  count: u32,
  reverse: u32,
  scale: f32,
  mean0: f32,
  mean1: f32,
  mean2: f32,
  std0: f32,
  std1: f32,
  std2: f32,
}

@group(0) @binding(0) var<storage, read> pixels: array<u32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let channel = index % 3u;
  var byte = index;
  if (params.reverse != 0u) { byte = index - channel + 2u - channel; }
  let value = f32((pixels[byte / 4u] >> (8u * (byte % 4u))) & 255u);
  var mean = params.mean0;
  var deviation = params.std0;
  if (channel == 1u) { mean = params.mean1; deviation = params.std1; }
  if (channel == 2u) { mean = params.mean2; deviation = params.std2; }
  result[index] = (value * params.scale - mean) / deviation;
}
