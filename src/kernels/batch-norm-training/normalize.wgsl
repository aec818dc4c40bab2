// Batch normalisation with given moments: (x − mean) / √(variance + epsilon) · weight + bias, a channel each.
// Thread t computes Value t.

struct Params {
  count: u32,       // Values
  channels: u32,    // in Values
  epsilon: f32,
}

alias Value = f32;

@group(0) @binding(0) var<storage, read> input: array<Value>;
@group(0) @binding(1) var<storage, read> moments: array<Value>; // [2, channels]
@group(0) @binding(2) var<storage, read> weight: array<Value>;
@group(0) @binding(3) var<storage, read> bias: array<Value>;
@group(0) @binding(4) var<storage, read_write> result: array<Value>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let channel = index % params.channels;
  let deviation = sqrt(moments[params.channels + channel] + params.epsilon);
  result[index] = (input[index] - moments[channel]) / deviation * weight[channel] + bias[channel];
}
