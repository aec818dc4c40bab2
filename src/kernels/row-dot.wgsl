// Scalar product of the rows of two tensors: result[row] = Σ left[row, c] · right[row, c].
// Thread t computes row t.

struct Params {
  rows: u32,
  length: u32,    // of a row, in Values
}

alias Value = f32;

@group(0) @binding(0) var<storage, read> left: array<Value>;
@group(0) @binding(1) var<storage, read> right: array<Value>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

const VECTORS: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = (group.x + group.y * groups.x) * 64u + lane;
  if (row >= params.rows) { return; }
  var sum = Value(0.0);
  for (var i = 0u; i < params.length; i++) {
    sum = fma(left[row * params.length + i], right[row * params.length + i], sum);
  }
  result[row] = dot(vec4f(sum), select(vec4f(1.0, 0.0, 0.0, 0.0), vec4f(1.0), VECTORS));
}
