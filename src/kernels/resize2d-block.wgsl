// Bilinear enlarging of maps of one channel whose output width is a multiple of four.
// Against resize2d-map.wgsl: a thread loads the few inputs below its block of 4 columns × ROWS rows once each, and without
// branches, both sides of which software adapters go through. Which of them an output can lie between is known when the
// text is made: output i of a block lies i · scale behind its first, and that up to one behind an input. An input weighs 1
// less its distance, at least 0. For a factor of 4 that is 12 loads and 8 stores of vectors for 32 outputs.
// The choice on software adapters. Thread (i, y, b) computes columns 4i … 4i+3 of output rows ROWS·y … of map b.
// What lies outside the map equals its outermost pixels.

struct Params {
  height: u32,
  width: u32,
  outHeight: u32,
  outVectors: u32,    // output width / 4
  scaleY: f32,        // input pixels an output pixel, at most 1
  scaleX: f32,
  originY: f32,       // where output 0 falls
  originX: f32,
}

@group(0) @binding(0) var<storage, read> image: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<vec4f>;
@group(0) @binding(2) var<uniform> params: Params;

const ROWS: u32 = 8u;
const LINES: u32 = 4u;      // inputs that ROWS outputs can see: ⌊(ROWS − 1) · scaleY⌋ + 3
const REACH: u32 = 3u;      // likewise 4 columns
const SCALE_Y: f32 = 0.25;

fn near(distance: vec4f) -> vec4f {
  return max(vec4f(0.0), 1.0 - abs(distance));
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.outVectors) { return; }
  let firstY = id.y * ROWS;
  let x = f32(id.x * 4u) * params.scaleX + params.originX;
  let y = f32(firstY) * params.scaleY + params.originY;
  let left = floor(x);
  let top = floor(y);
  let columns = x - left + params.scaleX * vec4f(0.0, 1.0, 2.0, 3.0);
  var offsets: array<u32, REACH>;
  var weights: array<vec4f, REACH>;
  for (var i = 0u; i < REACH; i++) { // unroll
    offsets[i] = u32(clamp(i32(left) + i32(i), 0, i32(params.width) - 1));
    weights[i] = near(columns - f32(i));
  }
  var lines: array<vec4f, LINES>;   // input lines, interpolated along the width
  for (var k = 0u; k < LINES; k++) { // unroll
    let row = u32(clamp(i32(top) + i32(k), 0, i32(params.height) - 1));
    let line = (id.z * params.height + row) * params.width;
    for (var i = 0u; i < REACH; i++) { // unroll
      lines[k] += weights[i] * image[line + offsets[i]];
    }
  }
  for (var i = 0u; i < ROWS; i++) { // unroll
    if (firstY + i < params.outHeight) {
      // The first of the three lines that this row can see is a constant.
      let at = y - top + f32(i) * params.scaleY - f32(u32(f32(i) * SCALE_Y));
      let row = near(vec4f(at, at - 1.0, at - 2.0, 2.0));
      result[(id.z * params.outHeight + firstY + i) * params.outVectors + id.x] =
        row.x * lines[u32(f32(i) * SCALE_Y)]
        + row.y * lines[u32(f32(i) * SCALE_Y) + 1u]
        + row.z * lines[u32(f32(i) * SCALE_Y) + 2u];
    }
  }
}
