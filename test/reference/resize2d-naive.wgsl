// Resizing, naïvely: thread t computes element t as a sum over all input pixels that weigh anything, in one go for both
// axes. mode 0 nearest, 1 bilinear, 2 bilinear with aligned corners, 3 bilinear with antialiasing.

struct Params {
  count: u32,
  height: u32,
  width: u32,
  channels: u32,
  outHeight: u32,
  outWidth: u32,
  mode: u32,
}

@group(0) @binding(0) var<storage, read> image: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

fn weight(input: u32, output: u32, inputs: u32, outputs: u32) -> f32 {
  let scale = f32(inputs) / f32(outputs);
  let last = f32(inputs - 1u);
  switch params.mode {
    case 0u: { return select(0.0, 1.0, input == min(u32(f32(output) * scale), inputs - 1u)); }
    case 1u: {
      let position = clamp((f32(output) + 0.5) * scale - 0.5, 0.0, last);
      return max(0.0, 1.0 - abs(f32(input) - position));
    }
    case 2u: {
      let position = f32(output) * last / f32(max(outputs - 1u, 1u));
      return max(0.0, 1.0 - abs(f32(input) - position));
    }
    default: {
      return max(0.0, 1.0 - abs(f32(input) + 0.5 - (f32(output) + 0.5) * scale) / max(scale, 1.0));
    }
  }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let channel = index % params.channels;
  let ox = index / params.channels % params.outWidth;
  let oy = index / params.channels / params.outWidth % params.outHeight;
  let b = index / params.channels / params.outWidth / params.outHeight;
  var sum = 0.0;
  var total = 0.0;
  for (var y = 0u; y < params.height; y++) {
    let vertical = weight(y, oy, params.height, params.outHeight);
    if (vertical == 0.0) { continue; }
    for (var x = 0u; x < params.width; x++) {
      let both = vertical * weight(x, ox, params.width, params.outWidth);
      total += both;
      sum += both * image[((b * params.height + y) * params.width + x) * params.channels + channel];
    }
  }
  result[index] = sum / total;
}
