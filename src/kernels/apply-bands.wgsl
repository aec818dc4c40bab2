// A banded linear map along one axis: the tensor is outer × length × inner, and output i along the axis is the sum of
// `taps` neighbouring inputs from its start on, times its weights (antialiased resizing, gradients of resizing).
// A thread computes ITEMS outputs that share their weights: several Values of inner at one output along the axis or, where
// inner is short (the axis is the width), the same output of several rows: FLAT. Software adapters take 4, since a weight
// costs as much to load as a Value.
// Thread (i, y, z) computes Values ITEMS · i … of inner at output y of outer index z; FLAT: Value i of the whole row, in
// the rows of which z and y number the groups.

struct Params {
  length: u32,
  outLength: u32,
  inner: u32,       // in Values
  outer: u32,
  taps: u32,
}

alias Value = f32;

@group(0) @binding(0) var<storage, read> source: array<Value>;
@group(0) @binding(1) var<storage, read> starts: array<u32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> result: array<Value>;
@group(0) @binding(4) var<uniform> params: Params;

const FLAT: bool = false;
const ITEMS: u32 = 1u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  var outer = id.z;
  var output = id.y;
  var at = id.x * ITEMS;
  // Steps to the next item and how many there are.
  var sourceStep = 1u;
  var resultStep = 1u;
  var rest = params.inner - min(at, params.inner);
  if (FLAT) {
    outer = (id.z * groups.y + id.y) * ITEMS;
    output = id.x / params.inner;
    at = id.x - output * params.inner;
    sourceStep = params.length * params.inner;
    resultStep = params.outLength * params.inner;
    rest = params.outer - min(outer, params.outer);
  }
  if (rest == 0u || output >= params.outLength) { return; }
  let start = (outer * params.length + starts[output]) * params.inner + at;
  var sums = array<Value, ITEMS>();
  for (var tap = 0u; tap < params.taps; tap++) {
    let weight = weights[output * params.taps + tap];
    for (var item = 0u; item < ITEMS; item++) {
      sums[item] += weight * source[start + tap * params.inner + min(item, rest - 1u) * sourceStep];
    }
  }
  let place = (outer * params.outLength + output) * params.inner + at;
  for (var item = 0u; item < ITEMS; item++) {
    if (item < rest) { result[place + item * resultStep] = sums[item]; }
  }
}
