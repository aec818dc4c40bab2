// Concatenation of two tensors along the last axis, naïvely: thread t decides which input element t comes from.

struct Params {
  count: u32,
  first: u32,     // channels of the first
  second: u32,
}

@group(0) @binding(0) var<storage, read> left: array<f32>;
@group(0) @binding(1) var<storage, read> right: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let channels = params.first + params.second;
  let row = index / channels;
  let channel = index % channels;
  if (channel < params.first) {
    result[index] = left[row * params.first + channel];
  } else {
    result[index] = right[row * params.second + channel - params.first];
  }
}
