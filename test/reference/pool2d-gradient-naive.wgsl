// Gradient of pooling, naïvely: thread t computes element t of the image's gradient and goes through every window there
// is. Of a max window the first greatest pixel in row-major order gets the gradient.

struct Params {
  count: u32,
  height: i32,
  width: i32,
  channels: i32,
  outHeight: i32,
  outWidth: i32,
  kernel: i32,
  stride: i32,
  padding: i32,
  average: u32,
}

@group(0) @binding(0) var<storage, read> image: array<f32>;
@group(0) @binding(1) var<storage, read> gradient: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let channel = i32(index) % params.channels;
  let column = i32(index) / params.channels % params.width;
  let row = i32(index) / params.channels / params.width % params.height;
  let b = i32(index) / params.channels / params.width / params.height;
  var sum = 0.0;
  for (var oy = 0; oy < params.outHeight; oy++) {
    for (var ox = 0; ox < params.outWidth; ox++) {
      var best = -3.4e38;
      var bestRow = -1;
      var bestColumn = -1;
      var inside = false;
      for (var j = 0; j < params.kernel; j++) {
        for (var i = 0; i < params.kernel; i++) {
          let y = oy * params.stride + j - params.padding;
          let x = ox * params.stride + i - params.padding;
          if (y < 0 || x < 0 || y >= params.height || x >= params.width) { continue; }
          inside = inside || (y == row && x == column);
          let value = image[((b * params.height + y) * params.width + x) * params.channels + channel];
          if (value > best) {
            best = value;
            bestRow = y;
            bestColumn = x;
          }
        }
      }
      let flowing = gradient[((b * params.outHeight + oy) * params.outWidth + ox) * params.channels + channel];
      if (params.average == 1u) {
        sum += select(0.0, flowing / f32(params.kernel * params.kernel), inside);
      } else if (bestRow == row && bestColumn == column) {
        sum += flowing;
      }
    }
  }
  result[index] = sum;
}
