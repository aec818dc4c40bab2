// One step of an optimiser, naïvely: thread t computes element t of one part.
// part 0 the parameter, 1 the first state, 2 the second state.

struct Params {
  count: u32,
  part: u32,
  adam: u32,
  step: u32,      // counted from 1
  rate: f32,
  beta1: f32,     // of gradient descent: the momentum
  beta2: f32,
  epsilon: f32,
  weight_decay: f32,
}

@group(0) @binding(0) var<storage, read> parameter: array<f32>;
@group(0) @binding(1) var<storage, read> gradient: array<f32>;
@group(0) @binding(2) var<storage, read> first: array<f32>;
@group(0) @binding(3) var<storage, read> second: array<f32>;
@group(0) @binding(4) var<storage, read_write> result: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

// 1 − βᵗ = (1 − β)(1 + β + … + βᵗ⁻¹), which does not cancel.
fn correction(beta: f32) -> f32 {
  var sum = 0.0;
  for (var i = 0u; i < params.step; i++) { sum = sum * beta + 1.0; }
  return (1.0 - beta) * sum;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let g = gradient[index] + params.weight_decay * parameter[index];
  var m = params.beta1 * first[index] + g;
  var v = 0.0;
  var moved = m;
  if (params.adam == 1u) {
    m = params.beta1 * first[index] + (1.0 - params.beta1) * g;
    v = params.beta2 * second[index] + (1.0 - params.beta2) * g * g;
    moved = m / correction(params.beta1) / (sqrt(v / correction(params.beta2)) + params.epsilon);
  }
  switch params.part {
    case 0u: { result[index] = parameter[index] - params.rate * moved; }
    case 1u: { result[index] = m; }
    default: { result[index] = v; }
  }
}
