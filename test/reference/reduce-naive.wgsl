// Reduction, naïvely: one thread a result goes through all of its elements.
// operation 0 sum, 1 max, 2 mean, 3 count of elements whose exponent bits are all ones, 4 index of the greatest.
// A result's elements are `length` in number, `step` apart, from `stride` · result on.

struct Params {
  count: u32,
  length: u32,
  stride: u32,
  step: u32,
  operation: u32,
}

@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let first = source[index * params.stride];
  var sum = 0.0;
  var best = first;
  var where_best = 0u;
  var nonFinite = 0.0;
  for (var item = 0u; item < params.length; item++) {
    let value = source[index * params.stride + item * params.step];
    sum += value;
    if (value > best) { best = value; where_best = item; }
    if (((bitcast<u32>(value) >> 23u) & 255u) == 255u) { nonFinite += 1.0; }
  }
  switch params.operation {
    case 0u: { result[index] = sum; }
    case 1u: { result[index] = best; }
    case 2u: { result[index] = sum / f32(params.length); }
    case 3u: { result[index] = nonFinite; }
    default: { result[index] = f32(where_best); }
  }
}
