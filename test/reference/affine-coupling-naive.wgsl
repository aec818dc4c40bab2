// Affine coupling and its gradients, naïvely: thread t computes element t of one part.
// part 0 y, 1 s, 2 gradient of x, 3 gradient of what the network said (twice as many channels).

struct Params {
  count: u32,
  part: u32,
  channels: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> network: array<f32>;
@group(0) @binding(2) var<storage, read> yGradient: array<f32>;
@group(0) @binding(3) var<storage, read> sGradient: array<f32>;
@group(0) @binding(4) var<storage, read_write> result: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let width = select(1u, 2u, params.part == 3u) * params.channels;
  let row = index / width;
  let column = index % width;
  let channel = column % params.channels;
  let own = row * params.channels + channel;
  let said = 2u * row * params.channels + channel;
  let t = tanh(0.1 * network[said]);
  let stretch = exp(2.0 * t);
  switch params.part {
    case 0u: { result[index] = x[own] * stretch + 0.1 * network[said + params.channels]; }
    case 1u: { result[index] = 2.0 * t; }
    case 2u: { result[index] = yGradient[own] * stretch; }
    default: {
      let first = (yGradient[own] * stretch * x[own] + sGradient[own]) * 0.2 * (1.0 - t * t);
      result[index] = select(0.1 * yGradient[own], first, column < params.channels);
    }
  }
}
