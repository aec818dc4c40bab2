// Gradient of a layer normalisation with respect to its input, through the image's own moments:
// (g − mean of g − normalised input · mean of g · normalised input) / deviation with g = gradient · weight.
// Thread t computes element t.

struct Params {
  count: u32,
  length: u32,    // elements of an image
  epsilon: f32,
}

@group(0) @binding(0) var<storage, read> input: array<f32>;
@group(0) @binding(1) var<storage, read> gradient: array<f32>;
@group(0) @binding(2) var<storage, read> moments: array<f32>; // [images, 2]
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read> sums: array<f32>;    // [images, 2]: of g, of g · normalised
@group(0) @binding(5) var<storage, read_write> result: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let image = 2u * (index / params.length);
  let deviation = sqrt(moments[image + 1u] + params.epsilon);
  let normalized = (input[index] - moments[image]) / deviation;
  let removed = (sums[image] + normalized * sums[image + 1u]) / f32(params.length);
  result[index] = (gradient[index] * weight[index % params.length] - removed) / deviation;
}
