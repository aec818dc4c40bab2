// Operators on rows, naïvely: thread t computes element t.
// operation 0 scalar product of rows, 1 row times a number of its own, 2 one number a group (`length` elements each, over
// and over) times a constant.

struct Params {
  count: u32,
  operation: u32,
  length: u32,    // of a row or group
  values: u32,    // numbers to spread
  scale: f32,
}

@group(0) @binding(0) var<storage, read> left: array<f32>;
@group(0) @binding(1) var<storage, read> right: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  switch params.operation {
    case 0u: {
      var sum = 0.0;
      for (var i = 0u; i < params.length; i++) {
        sum += left[index * params.length + i] * right[index * params.length + i];
      }
      result[index] = sum;
    }
    case 1u: { result[index] = left[index] * right[index / params.length]; }
    default: { result[index] = params.scale * left[index / params.length % params.values]; }
  }
}
