// Pooling, naïvely: thread t computes element t, branches at every border.

struct Params {
  count: u32,
  height: i32,
  width: i32,
  channels: i32,
  outHeight: i32,
  outWidth: i32,
  kernel: i32,
  stride: i32,
  top: i32,
  bottom: i32,
  left: i32,
  right: i32,
  average: u32,
  countPadding: u32,
}

@group(0) @binding(0) var<storage, read> image: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let channel = i32(index) % params.channels;
  let ox = i32(index) / params.channels % params.outWidth;
  let oy = i32(index) / params.channels / params.outWidth % params.outHeight;
  let b = i32(index) / params.channels / params.outWidth / params.outHeight;
  var best = -3.4e38;
  var sum = 0.0;
  var inside = 0.0;
  var padded = 0.0;
  for (var j = 0; j < params.kernel; j++) {
    for (var i = 0; i < params.kernel; i++) {
      let y = oy * params.stride + j - params.top;
      let x = ox * params.stride + i - params.left;
      if (y < params.height + params.bottom && x < params.width + params.right) { padded += 1.0; }
      if (y < 0 || x < 0 || y >= params.height || x >= params.width) { continue; }
      let value = image[((b * params.height + y) * params.width + x) * params.channels + channel];
      inside += 1.0;
      sum += value;
      best = max(best, value);
    }
  }
  if (params.average == 0u) {
    result[index] = best;
  } else {
    result[index] = sum / select(inside, padded, params.countPadding != 0u);
  }
}
