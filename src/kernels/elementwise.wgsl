// Elementwise arithmetic over f32 tensors of one size.
// Thread t computes elements 4t … 4t+3 (one vec4f load an operand, one store); the last thread may reach into the
// padding of the buffer, which every tensor is rounded up to.
// One text for all operations: OPERATION is a constant, so only one case is left in the compiled kernel.

struct Params {
  vectors: u32,   // elements / 4, rounded up
  a: f32,         // scalar of the operation, where it has one
  b: f32,
}

@group(0) @binding(0) var<storage, read> left: array<vec4f>;
@group(0) @binding(1) var<storage, read> right: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> result: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;

const OPERATION: u32 = 0u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.vectors) { return; }
  let x = left[index];
  let y = right[index];
  var value = vec4f(0.0);
  switch OPERATION {
    case 0u: { value = x + y; }
    case 1u: { value = x - y; }
    case 2u: { value = x * y; }
    case 3u: { value = x / y; }
    case 4u: { value = params.a * x + params.b; }
    case 5u: { value = max(x, vec4f(0.0)); }
    case 6u: { value = clamp(x, vec4f(0.0), vec4f(6.0)); }
    default: {}
  }
  result[index] = value;
}
