// Layer normalisation: (x − mean) / √(variance + epsilon) · weight + bias, with an image's moments and a weight and bias
// for every element of an image. Thread t computes element t.

struct Params {
  count: u32,
  length: u32,    // elements of an image
  epsilon: f32,
}

@group(0) @binding(0) var<storage, read> input: array<f32>;
@group(0) @binding(1) var<storage, read> moments: array<f32>; // [images, 2]
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> result: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let image = index / params.length;
  let at = index % params.length;
  let deviation = sqrt(moments[2u * image + 1u] + params.epsilon);
  result[index] = (input[index] - moments[2u * image]) / deviation * weight[at] + bias[at];
}
