// Folds a batch normalisation into the weights and bias of the convolution or matrix product before it, on the device:
// for weights that change on the device, where the host cannot do it once while loading.
// Thread t computes weight t; the first out_channels threads also compute a bias.

struct Params {
  count: u32,        // weights
  out_channels: u32, // the weights' last dimension
  has_bias: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<storage, read> weights: array<f32>;
@group(0) @binding(1) var<storage, read> bias: array<f32>;
@group(0) @binding(2) var<storage, read> scale: array<f32>;
@group(0) @binding(3) var<storage, read> shift: array<f32>;
@group(0) @binding(4) var<storage, read> mean: array<f32>;
@group(0) @binding(5) var<storage, read> variance: array<f32>;
@group(0) @binding(6) var<storage, read_write> folded_weights: array<f32>;
@group(0) @binding(7) var<storage, read_write> folded_bias: array<f32>;
@group(0) @binding(8) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let channel = index % params.out_channels;
  let factor = scale[channel] / sqrt(variance[channel] + params.epsilon);
  folded_weights[index] = weights[index] * factor;
  if (index < params.out_channels) {
    let before = select(0.0, bias[index], params.has_bias != 0u);
    folded_bias[index] = (before - mean[index]) * factor + shift[index];
  }
}
