// Gaussian blur, naïvely: thread t computes element t as one two-dimensional sum, weights by exp() on the spot.

struct Params {
  count: u32,
  height: i32,
  width: i32,
  channels: i32,
  radius: i32,
  sigma: f32,
}

@group(0) @binding(0) var<storage, read> image: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

fn inside(position: i32, size: i32) -> i32 {
  var at = position;
  while (size > 1 && (at < 0 || at >= size)) {
    if (at < 0) { at = -at; } else { at = 2 * (size - 1) - at; }
  }
  if (size == 1) { at = 0; }
  return at;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let channel = i32(index) % params.channels;
  let x = i32(index) / params.channels % params.width;
  let y = i32(index) / params.channels / params.width % params.height;
  let b = i32(index) / params.channels / params.width / params.height;
  var sum = 0.0;
  var total = 0.0;
  for (var j = -params.radius; j <= params.radius; j++) {
    let row = (b * params.height + inside(y + j, params.height)) * params.width;
    for (var i = -params.radius; i <= params.radius; i++) {
      let weight = exp(-f32(i * i + j * j) / (2.0 * params.sigma * params.sigma));
      total += weight;
      sum += weight * image[(row + inside(x + i, params.width)) * params.channels + channel];
    }
  }
  result[index] = sum / total;
}
