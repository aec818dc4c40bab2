// Gradients of a layer normalisation with respect to its weight and bias: sums over images of gradient · normalised
// input, and of the gradient. Thread t handles element t of an image.

struct Params {
  images: u32,
  length: u32,    // elements of an image
  epsilon: f32,
}

@group(0) @binding(0) var<storage, read> input: array<f32>;
@group(0) @binding(1) var<storage, read> gradient: array<f32>;
@group(0) @binding(2) var<storage, read> moments: array<f32>; // [images, 2]
@group(0) @binding(3) var<storage, read_write> weightGradient: array<f32>;
@group(0) @binding(4) var<storage, read_write> biasGradient: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.length) { return; }
  var sum = 0.0;
  var product = 0.0;
  for (var image = 0u; image < params.images; image++) {
    let at = image * params.length + index;
    let deviation = sqrt(moments[2u * image + 1u] + params.epsilon);
    sum += gradient[at];
    product += gradient[at] * ((input[at] - moments[2u * image]) / deviation);
  }
  weightGradient[index] = product;
  biasGradient[index] = sum;
}
