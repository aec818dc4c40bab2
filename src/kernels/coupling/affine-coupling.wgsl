// Affine coupling of a normalising flow with a soft clamp: s = 2·tanh(o), t = o' and y = x·exp(s) + t, where o and o' are
// a tenth of the first and the second half of what the network says of a pixel.
// Thread t computes Value t of y and of s.

struct Params {
  count: u32,       // Values of x
  channels: u32,    // of x, in Values
}

alias Value = f32;

@group(0) @binding(0) var<storage, read> x: array<Value>;
@group(0) @binding(1) var<storage, read> network: array<Value>;  // twice the channels
@group(0) @binding(2) var<storage, read_write> y: array<Value>;
@group(0) @binding(3) var<storage, read_write> scale: array<Value>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let at = index + index / params.channels * params.channels;
  // tanh is ±1 in f32 long before ±15, where implementations by exponentials still have finite terms.
  let s = 2.0 * tanh(clamp(0.1 * network[at], Value(-15.0), Value(15.0)));
  y[index] = x[index] * exp(s) + 0.1 * network[at + params.channels];
  scale[index] = s;
}
