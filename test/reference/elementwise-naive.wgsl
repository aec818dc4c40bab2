// Two operands with broadcasting, naïvely: thread t computes element t; the right operand has `period` elements, each of
// which meets every period-th of the left. operation 0 add, 1 subtract, 2 multiply, 3 divide.

struct Params {
  count: u32,
  period: u32,
  operation: u32,
}

@group(0) @binding(0) var<storage, read> left: array<f32>;
@group(0) @binding(1) var<storage, read> right: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let x = left[index];
  let y = right[index % params.period];
  switch params.operation {
    case 0u: { result[index] = x + y; }
    case 1u: { result[index] = x - y; }
    case 2u: { result[index] = x * y; }
    default: { result[index] = x / y; }
  }
}
