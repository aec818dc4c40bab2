// Nearest and bilinear resizing over NHWC.
// Against resize2d.wgsl: a thread computes ROWS output rows one below the other, keeps the two input rows it stands
// between, already interpolated along the width, and loads one only when it moves on to it. Enlarging, that is fewer than
// two loads an output instead of four.
// Thread (i, y, b) computes Value i of output rows ROWS·y … of image b; i runs over width × channels, channels innermost.

struct Params {
  height: u32,
  width: u32,
  channels: u32,      // in Values
  outHeight: u32,
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
const ROWS: u32 = 8u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let rowLength = params.outWidth * params.channels;
  if (id.x >= rowLength) { return; }
  let x = id.x / params.channels;
  let channel = id.x - x * params.channels;
  let positionX = max(f32(x) * params.scaleX + params.originX, 0.0);
  let left = min(u32(positionX), params.width - 1u);
  let weightX = min(positionX - f32(left), 1.0);
  let first = (id.z * params.height * params.width + left) * params.channels + channel;
  let second = (id.z * params.height * params.width + min(left + 1u, params.width - 1u)) * params.channels + channel;
  let stride = params.width * params.channels;

  var top = params.height;     // no row yet
  var bottom = params.height;
  var upper = Value(0.0);
  var lower = Value(0.0);
  for (var i = 0u; i < ROWS; i++) {
    let y = id.y * ROWS + i;
    if (y >= params.outHeight) { break; }
    let positionY = max(f32(y) * params.scaleY + params.originY, 0.0);
    let row = min(u32(positionY), params.height - 1u);
    if (row != top) {
      if (BILINEAR) {
        if (row == bottom) {
          upper = lower;
        } else {
          upper = image[first + row * stride] * (1.0 - weightX) + image[second + row * stride] * weightX;
        }
        bottom = min(row + 1u, params.height - 1u);
        lower = image[first + bottom * stride] * (1.0 - weightX) + image[second + bottom * stride] * weightX;
      } else {
        upper = image[first + row * stride];
      }
      top = row;
    }
    var value = upper;
    if (BILINEAR) {
      let weightY = min(positionY - f32(row), 1.0);
      value = upper * (1.0 - weightY) + lower * weightY;
    }
    result[(id.z * params.outHeight + y) * rowLength + id.x] = value;
  }
}
