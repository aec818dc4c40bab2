// What the gradient of a layer normalisation needs of a whole image, over blocks of 2048 elements: the sum of the
// incoming gradient times the weight, and of that times the normalised input.
// Workgroup (block, image): each of 64 lanes takes every 64th element; the lanes are added up pairwise.

struct Params {
  length: u32,    // elements of an image
  blocks: u32,    // of an image
  epsilon: f32,
}

@group(0) @binding(0) var<storage, read> input: array<f32>;
@group(0) @binding(1) var<storage, read> gradient: array<f32>;
@group(0) @binding(2) var<storage, read> moments: array<f32>;         // [images, 2]
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read_write> partials: array<f32>;  // [blocks, images, 2]
@group(0) @binding(5) var<uniform> params: Params;

const ITEMS: u32 = 32u;

var<workgroup> sums: array<vec2f, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let base = group.y * params.length;
  let mean = moments[2u * group.y];
  let deviation = sqrt(moments[2u * group.y + 1u] + params.epsilon);
  var sum = vec2f(0.0);
  for (var item = 0u; item < ITEMS; item++) {
    let at = group.x * ITEMS * 64u + lane + item * 64u;
    if (at >= params.length) { break; }
    let weighted = gradient[base + at] * weight[at];
    sum += vec2f(weighted, weighted * ((input[base + at] - mean) / deviation));
  }
  sums[lane] = sum;
  for (var half = 32u; half > 0u; half >>= 1u) {
    workgroupBarrier();
    if (lane < half) { sums[lane] += sums[lane + half]; }
  }
  if (lane == 0u) {
    let at = 2u * (group.x * groups.y + group.y);
    partials[at] = sums[0].x;
    partials[at + 1u] = sums[0].y;
  }
}
