// Gradient of a batch normalisation with respect to its input, through the batch's own moments:
// weight / deviation · (gradient − mean of gradients − normalised input · mean of gradient · normalised input).
// Thread t computes Value t.

struct Params {
  count: u32,       // Values
  channels: u32,    // in Values
  rows: f32,
  epsilon: f32,
}

alias Value = f32;

@group(0) @binding(0) var<storage, read> input: array<Value>;
@group(0) @binding(1) var<storage, read> gradient: array<Value>;
@group(0) @binding(2) var<storage, read> moments: array<Value>; // [2, channels]
@group(0) @binding(3) var<storage, read> weight: array<Value>;
@group(0) @binding(4) var<storage, read> sums: array<Value>;    // [2, channels]: of gradient, of gradient · normalised
@group(0) @binding(5) var<storage, read_write> result: array<Value>;
@group(0) @binding(6) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let channel = index % params.channels;
  let deviation = sqrt(moments[params.channels + channel] + params.epsilon);
  let normalized = (input[index] - moments[channel]) / deviation;
  let removed = (sums[channel] + normalized * sums[params.channels + channel]) / params.rows;
  result[index] = weight[channel] / deviation * (gradient[index] - removed);
}
