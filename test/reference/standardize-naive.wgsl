// Batch norm (by the batch) and layer norm with their gradients, naïvely: thread t computes element t of one part and
// goes through its whole group for every moment and sum.
// part 0 result, 1 gradient of the input, 2 of the weight, 3 of the bias.
// Element i belongs to group i / stride mod groups; a group's elements begin at stride · group and are step apart.

struct Params {
  count: u32,
  part: u32,
  groups: u32,
  size: u32,      // elements of a group
  stride: u32,
  step: u32,
  affine: u32,    // numbers of the weight: element i takes number i mod affine
  epsilon: f32,
}

@group(0) @binding(0) var<storage, read> input: array<f32>;
@group(0) @binding(1) var<storage, read> gradient: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> result: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

fn group_of(element: u32) -> u32 { return element / params.stride % params.groups; }

fn moments(group: u32) -> vec2f {
  var sum = 0.0;
  for (var i = 0u; i < params.size; i++) { sum += input[params.stride * group + params.step * i]; }
  let mean = sum / f32(params.size);
  var squares = 0.0;
  for (var i = 0u; i < params.size; i++) {
    let distance = input[params.stride * group + params.step * i] - mean;
    squares += distance * distance;
  }
  return vec2f(mean, sqrt(squares / f32(params.size) + params.epsilon));
}

fn normalized(element: u32) -> f32 {
  let own = moments(group_of(element));
  return (input[element] - own.x) / own.y;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  if (params.part == 0u) {
    result[index] = normalized(index) * weight[index % params.affine] + bias[index % params.affine];
  } else if (params.part == 1u) {
    let own = moments(group_of(index));
    var sum = 0.0;
    var product = 0.0;
    for (var i = 0u; i < params.size; i++) {
      let other = params.stride * group_of(index) + params.step * i;
      let weighted = gradient[other] * weight[other % params.affine];
      sum += weighted;
      product += weighted * (input[other] - own.x) / own.y;
    }
    let weighted = gradient[index] * weight[index % params.affine];
    let removed = (sum + (input[index] - own.x) / own.y * product) / f32(params.size);
    result[index] = (weighted - removed) / own.y;
  } else {
    var sum = 0.0;
    for (var element = index; element < params.groups * params.size; element += params.affine) {
      sum += gradient[element] * select(1.0, normalized(element), params.part == 2u);
    }
    result[index] = sum;
  }
}
