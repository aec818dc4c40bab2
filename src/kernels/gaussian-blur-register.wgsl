// One axis of a separable Gaussian blur with reflected borders: the tensor is outer × length × inner.
// Against gaussian-blur.wgsl: a thread computes 8 neighbouring outputs along the axis for one Value of inner (a vector of
// four where inner allows it). Every input is loaded once for the 8 and the weights slide through registers, so an output
// costs about (taps + 7) / 8 loads of the image instead of taps, and reflection needs no division.
// Thread (i, y, z) computes outputs 8y … 8y+7 at Value i of inner, outer index z; FLAT, for an axis whose inner is short:
// Value i of a row of blocks × inner, z and y number the rows.
// Wants radius < length: one reflection is enough.

struct Params {
  length: i32,
  inner: u32,       // in Values
  radius: i32,
}

alias Value = f32;

@group(0) @binding(0) var<storage, read> source: array<Value>;
@group(0) @binding(1) var<storage, read> weights: array<vec4f>;   // 2 · radius + 1, then at least 7 zeros
@group(0) @binding(2) var<storage, read_write> result: array<Value>;
@group(0) @binding(3) var<uniform> params: Params;

const FLAT: bool = false;

var<private> sums: array<Value, 8>;
// Weights of the next input for outputs 0 … 3 and 4 … 7.
var<private> near: vec4f;
var<private> far: vec4f;

fn accumulate(value: Value, weight: f32) {
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

fn load(line: u32, position: i32, at: u32) -> Value {
  let last = params.length - 1;
  // Only outputs past the end, which are not stored, look further than one reflection.
  let inside = max(last - abs(last - abs(position)), 0);
  return source[(line + u32(inside)) * params.inner + at];
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  var block = id.y;
  var at = id.x;
  var outer = id.z;
  if (FLAT) {
    block = id.x / params.inner;
    at = id.x - block * params.inner;
    outer = id.z * groups.y + id.y;
  }
  let first = i32(block * 8u);
  if (at >= params.inner || first >= params.length) { return; }
  let line = outer * u32(params.length);
  let steps = (2u * u32(params.radius) + 8u + 3u) / 4u;
  for (var step = 0u; step < steps; step++) {
    let next = weights[step];
    let position = first + i32(step * 4u) - params.radius;
    accumulate(load(line, position, at), next.x);
    accumulate(load(line, position + 1, at), next.y);
    accumulate(load(line, position + 2, at), next.z);
    accumulate(load(line, position + 3, at), next.w);
  }
  let target_line = line + u32(first);
  for (var i = 0u; i < 8u; i++) {
    if (first + i32(i) < params.length) { result[(target_line + i) * params.inner + at] = sums[i]; }
  }
}
