// Batch normalisation with fixed statistics: scale · (x − mean) + bias with scale = weight / √(variance + epsilon), a
// channel (the last dimension) each. Only where it could not be folded into the weights of the operator before it.
// Thread t computes element t.

struct Params {
  count: u32,
  channels: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<storage, read> input: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> mean: array<f32>;
@group(0) @binding(4) var<storage, read> variance: array<f32>;
@group(0) @binding(5) var<storage, read_write> result: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let channel = index % params.channels;
  let scale = weight[channel] / sqrt(variance[channel] + params.epsilon);
  result[index] = (input[index] - mean[channel]) * scale + bias[channel];
}
