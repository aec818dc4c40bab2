// Vertical pass of a separable Gaussian blur with reflected borders over maps of one channel, stored transposed:
// [batch, height, width] becomes [batch, width, height]. Run twice it blurs both axes and gives the first order again.
// Against gaussian-blur-register.wgsl: the pass along the width, which had to load single elements there, is the same
// pass down the columns of the transposed map, so all loads and stores are vectors of four.
// Thread (i, y, b) computes rows 8y … 8y+7 of columns 4i … 4i+3 of map b. Height and width are multiples of four.
// Wants radius < height: one reflection is enough.

struct Params {
  height: i32,
  width: u32,       // in vectors
  radius: i32,
}

@group(0) @binding(0) var<storage, read> source: array<vec4f>;
@group(0) @binding(1) var<storage, read> weights: array<vec4f>;   // 2 · radius + 1, then at least 7 zeros
@group(0) @binding(2) var<storage, read_write> result: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;

var<private> sums: array<vec4f, 8>;
// Weights of the next input for outputs 0 … 3 and 4 … 7.
var<private> near: vec4f;
var<private> far: vec4f;

fn accumulate(value: vec4f, weight: f32) {
  far = vec4f(near.w, far.xyz);
  near = vec4f(weight, near.xyz);
  sums[0] += near.x * value;
  sums[1] += near.y * value;
  sums[2] += near.z * value;
  sums[3] += near.w * value;
  sums[4] += far.x * value;
  sums[5] += far.y * value;
  sums[6] += far.z * value;
  sums[7] += far.w * value;
}

fn load(line: u32, position: i32, at: u32) -> vec4f {
  let last = params.height - 1;
  // Only outputs past the end, which are not stored, look further than one reflection.
  let inside = max(last - abs(last - abs(position)), 0);
  return source[(line + u32(inside)) * params.width + at];
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.width) { return; }
  let first = i32(id.y * 8u);
  let line = id.z * u32(params.height);
  let steps = (2u * u32(params.radius) + 8u + 3u) / 4u;
  for (var step = 0u; step < steps; step++) {
    let next = weights[step];
    let position = first + i32(step * 4u) - params.radius;
    accumulate(load(line, position, id.x), next.x);
    accumulate(load(line, position + 1, id.x), next.y);
    accumulate(load(line, position + 2, id.x), next.z);
    accumulate(load(line, position + 3, id.x), next.w);
  }
  let height = u32(params.height) / 4u;
  let target_line = (id.z * params.width + id.x) * 4u * height + id.y * 2u;
  let upper = transpose(mat4x4f(sums[0], sums[1], sums[2], sums[3]));
  result[target_line] = upper[0];
  result[target_line + height] = upper[1];
  result[target_line + 2u * height] = upper[2];
  result[target_line + 3u * height] = upper[3];
  if (first + 4 < params.height) {
    let lower = transpose(mat4x4f(sums[4], sums[5], sums[6], sums[7]));
    result[target_line + 1u] = lower[0];
    result[target_line + height + 1u] = lower[1];
    result[target_line + 2u * height + 1u] = lower[2];
    result[target_line + 3u * height + 1u] = lower[3];
  }
}
