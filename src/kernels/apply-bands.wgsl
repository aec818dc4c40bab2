// A banded linear map along one axis: the tensor is outer × length × inner, and output i along the axis is the sum of
// `taps` neighbouring inputs from its start on, times its weights (antialiased resizing, gradients of resizing).
// Thread (i, y, z) computes Value i of inner at output y of outer index z, or, where inner is short (the axis is the
// width), Value i of the whole row: FLAT.

struct Params {
  length: u32,
  outLength: u32,
  inner: u32,       // in Values
  taps: u32,
}

alias Value = f32;

@group(0) @binding(0) var<storage, read> source: array<Value>;
@group(0) @binding(1) var<storage, read> starts: array<u32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> result: array<Value>;
@group(0) @binding(4) var<uniform> params: Params;

const FLAT: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  var outer = id.z;
  var output = id.y;
  var at = id.x;
  if (FLAT) {
    outer = id.z * groups.y + id.y;
    output = id.x / params.inner;
    at = id.x - output * params.inner;
    if (output >= params.outLength) { return; }
  } else if (at >= params.inner) { return; }
  let start = (outer * params.length + starts[output]) * params.inner + at;
  var sum = Value(0.0);
  for (var tap = 0u; tap < params.taps; tap++) {
    sum += weights[output * params.taps + tap] * source[start + tap * params.inner];
  }
  result[(outer * params.outLength + output) * params.inner + at] = sum;
}
