// Moves running statistics towards those of a batch: running += momentum · (batch − running), in place. The batch's
// variance is first corrected to the unbiased one, as PyTorch does.
// Thread t handles channel t.

struct Params {
  channels: u32,
  momentum: f32,
  correction: f32,    // rows / (rows − 1)
}

@group(0) @binding(0) var<storage, read> moments: array<f32>; // [2, channels]
@group(0) @binding(1) var<storage, read_write> mean: array<f32>;
@group(0) @binding(2) var<storage, read_write> variance: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.channels) { return; }
  mean[id.x] += params.momentum * (moments[id.x] - mean[id.x]);
  variance[id.x] += params.momentum * (moments[params.channels + id.x] * params.correction - variance[id.x]);
}
