// Joins the moments of an image's blocks, in order: moments[image] is its mean and its variance (divided by the number
// of elements). Thread t handles image t.

struct Params {
  images: u32,
  length: u32,        // elements of an image
  blocks: u32,        // of an image
  block_length: u32,  // elements of a block; the last may have fewer
}

@group(0) @binding(0) var<storage, read> partials: array<f32>;  // [images, blocks, 2]
@group(0) @binding(1) var<storage, read_write> moments: array<f32>; // [images, 2]
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.images) { return; }
  var mean = 0.0;
  var squares = 0.0;
  var seen = 0.0;
  for (var block = 0u; block < params.blocks; block++) {
    let at = 2u * (id.x * params.blocks + block);
    let count = f32(min(params.length, (block + 1u) * params.block_length) - block * params.block_length);
    let distance = partials[at] - mean;
    let share = count / (seen + count);
    mean += distance * share;
    squares += partials[at + 1u] + distance * distance * seen * share;
    seen += count;
  }
  moments[2u * id.x] = mean;
  moments[2u * id.x + 1u] = squares / f32(params.length);
}
