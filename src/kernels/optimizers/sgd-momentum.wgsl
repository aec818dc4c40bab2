// One step of gradient descent with momentum, as PyTorch's SGD: velocity = momentum · velocity + gradient +
// weight decay · parameter, parameter −= rate · velocity, in place. The first velocity is the gradient alone, which
// zeros at the start give by themselves.
// Thread t updates elements 4t … 4t+3.

struct Params {
  count: u32,
  mark: u32,      // the tensor's place among the marks
  momentum: f32,
  weight_decay: f32,
}

@group(0) @binding(0) var<storage, read> gradient: array<vec4f>;
@group(0) @binding(1) var<storage, read> rate: array<f32>;
@group(0) @binding(2) var<storage, read_write> parameter: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> velocity: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> marks: array<atomic<u32>>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index * 4u >= params.count) { return; }
  let value = parameter[index];
  let incoming = gradient[index];
  mark_nonfinite(incoming, index);
  let speed = params.momentum * velocity[index] + incoming + params.weight_decay * value;
  velocity[index] = speed;
  parameter[index] = value - rate[0] * speed;
}
