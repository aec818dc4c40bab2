// Nearest and bilinear resizing of maps of one channel whose output width is a multiple of four.
// Against resize2d-rows.wgsl: a thread computes four neighbouring columns of its ROWS rows, so that positions and weights
// are worked out for four at once and every store is a vector.
// Thread (i, y, b) computes columns 4i … 4i+3 of output rows ROWS·y … of map b.

struct Params {
  height: u32,
  width: u32,
  outHeight: u32,
  outVectors: u32,    // output width / 4
  scaleY: f32,        // input pixels an output pixel
  scaleX: f32,
  originY: f32,       // where output 0 falls
  originX: f32,
}

@group(0) @binding(0) var<storage, read> image: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<vec4f>;
@group(0) @binding(2) var<uniform> params: Params;

const BILINEAR: bool = true;
const ROWS: u32 = 8u;

fn pick(base: u32, columns: vec4u) -> vec4f {
  return vec4f(image[base + columns.x], image[base + columns.y], image[base + columns.z], image[base + columns.w]);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.outVectors) { return; }
  let x = vec4f(vec4u(id.x * 4u) + vec4u(0u, 1u, 2u, 3u));
  let positionX = max(x * params.scaleX + params.originX, vec4f(0.0));
  let left = min(vec4u(positionX), vec4u(params.width - 1u));
  let right = min(left + 1u, vec4u(params.width - 1u));
  let weightX = min(positionX - vec4f(left), vec4f(1.0));
  let map = id.z * params.height;

  var top = params.height;     // no row yet
  var bottom = params.height;
  var upper = vec4f(0.0);
  var lower = vec4f(0.0);
  for (var i = 0u; i < ROWS; i++) {
    let y = id.y * ROWS + i;
    if (y >= params.outHeight) { break; }
    let positionY = max(f32(y) * params.scaleY + params.originY, 0.0);
    let row = min(u32(positionY), params.height - 1u);
    if (row != top) {
      let base = (map + row) * params.width;
      if (BILINEAR) {
        if (row == bottom) {
          upper = lower;
        } else {
          upper = pick(base, left) * (1.0 - weightX) + pick(base, right) * weightX;
        }
        bottom = min(row + 1u, params.height - 1u);
        let next = (map + bottom) * params.width;
        lower = pick(next, left) * (1.0 - weightX) + pick(next, right) * weightX;
      } else {
        upper = pick(base, left);
      }
      top = row;
    }
    var value = upper;
    if (BILINEAR) {
      let weightY = min(positionY - f32(row), 1.0);
      value = upper * (1.0 - weightY) + lower * weightY;
    }
    result[(id.z * params.outHeight + y) * params.outVectors + id.x] = value;
  }
}
