// One step of Adam (Kingma and Ba, 2015) with weight decay added to the gradient, as PyTorch's Adam, in place.
// Thread t updates elements 4t … 4t+3.

struct Params {
  count: u32,
  mark: u32,      // the tensor's place among the marks
  beta2: f32,
  rest1: f32,     // 1 − beta1, rounded once
  rest2: f32,
  epsilon: f32,
  weight_decay: f32,
}

@group(0) @binding(0) var<storage, read> gradient: array<vec4f>;
@group(0) @binding(1) var<storage, read> rate: array<f32>;
@group(0) @binding(2) var<storage, read> state: array<f32>;   // step, corrections of the two moments
@group(0) @binding(3) var<storage, read_write> parameter: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> mean: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> square: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> marks: array<atomic<u32>>;
@group(0) @binding(7) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index * 4u >= params.count) { return; }
  let value = parameter[index];
  let incoming = gradient[index];
  mark_nonfinite(incoming, index);
  let g = incoming + params.weight_decay * value;
  let m = mean[index] + params.rest1 * (g - mean[index]);
  let v = params.beta2 * square[index] + params.rest2 * g * g;
  mean[index] = m;
  square[index] = v;
  parameter[index] = value - rate[0] * (m / state[1]) / (sqrt(v / state[2]) + params.epsilon);
}
