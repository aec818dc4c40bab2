// Nearest and bilinear resizing over NHWC; the plainest variant, four loads an output.
// Thread (i, y, b) computes Value i of output row y of image b; i runs over width × channels, channels innermost.
// Positions are computed here in f32, as PyTorch does; scale and origin come from the host.

struct Params {
  height: u32,
  width: u32,
  channels: u32,      // in Values
  outWidth: u32,
  scaleY: f32,        // input pixels an output pixel
  scaleX: f32,
  originY: f32,       // where output 0 falls
  originX: f32,
}

alias Value = f32;

@group(0) @binding(0) var<storage, read> image: array<Value>;
@group(0) @binding(1) var<storage, read_write> result: array<Value>;
@group(0) @binding(2) var<uniform> params: Params;

const BILINEAR: bool = true;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let rowLength = params.outWidth * params.channels;
  if (id.x >= rowLength) { return; }
  let x = id.x / params.channels;
  let channel = id.x - x * params.channels;
  let at = vec2f(f32(id.y) * params.scaleY + params.originY, f32(x) * params.scaleX + params.originX);
  let last = vec2u(params.height, params.width) - 1u;
  let position = max(at, vec2f(0.0));
  let first = min(vec2u(position), last);
  let top = (id.z * params.height + first.x) * params.width;
  var value = image[(top + first.y) * params.channels + channel];
  if (BILINEAR) {
    let second = min(first + 1u, last);
    let weight = min(position - vec2f(first), vec2f(1.0));
    let bottom = (id.z * params.height + second.x) * params.width;
    let topRight = image[(top + second.y) * params.channels + channel];
    let bottomLeft = image[(bottom + first.y) * params.channels + channel];
    let bottomRight = image[(bottom + second.y) * params.channels + channel];
    let upper = value * (1.0 - weight.y) + topRight * weight.y;
    let lower = bottomLeft * (1.0 - weight.y) + bottomRight * weight.y;
    value = upper * (1.0 - weight.x) + lower * weight.x;
  }
  result[(id.z * groups.y + id.y) * rowLength + id.x] = value;
}
