// Gradients of an affine coupling (affine-coupling.wgsl) with respect to x and to what the network said.
// Thread t handles Value t of x.

struct Params {
  count: u32,       // Values of x
  channels: u32,    // of x, in Values
}

alias Value = f32;

@group(0) @binding(0) var<storage, read> x: array<Value>;
@group(0) @binding(1) var<storage, read> scale: array<Value>;
@group(0) @binding(2) var<storage, read> yGradient: array<Value>;
@group(0) @binding(3) var<storage, read> scaleGradient: array<Value>;
@group(0) @binding(4) var<storage, read_write> xGradient: array<Value>;
@group(0) @binding(5) var<storage, read_write> networkGradient: array<Value>;
@group(0) @binding(6) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let at = index + index / params.channels * params.channels;
  let s = scale[index];
  let stretched = yGradient[index] * exp(s);
  xGradient[index] = stretched;
  // The derivative of 2·tanh(o / 10) is (1 − (s / 2)²) / 5.
  networkGradient[at] = (stretched * x[index] + scaleGradient[index]) * 0.2 * (1.0 - 0.25 * s * s);
  networkGradient[at + params.channels] = 0.1 * yGradient[index];
}
