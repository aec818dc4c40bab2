// Gradients of mix-channels.wgsl with respect to shift and scale over slices of pixels: sums of the gradient of the
// channel that a channel goes to, and of that times the channel.
// Thread t = slice · channels + channel writes partials[slice, 0, channel] and partials[slice, 1, channel].

struct Params {
  pixels: u32,
  slice_pixels: u32,
  slices: u32,
  channels: u32,    // of both parts
  first: u32,       // channels of the first part
}

@group(0) @binding(0) var<storage, read> first: array<f32>;
@group(0) @binding(1) var<storage, read> second: array<f32>;
@group(0) @binding(2) var<storage, read> firstGradient: array<f32>;
@group(0) @binding(3) var<storage, read> secondGradient: array<f32>;
@group(0) @binding(4) var<storage, read> inverse: array<u32>;  // channel of the result that each channel goes to
@group(0) @binding(5) var<storage, read_write> partials: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.slices * params.channels) { return; }
  let channel = index % params.channels;
  let slice = index / params.channels;
  let other = params.channels - params.first;
  let to = inverse[channel];
  var sum = 0.0;
  var product = 0.0;
  let end = min(params.pixels, (slice + 1u) * params.slice_pixels);
  for (var pixel = slice * params.slice_pixels; pixel < end; pixel++) {
    var gradient: f32;
    if (to < params.first) { gradient = firstGradient[pixel * params.first + to]; }
    else { gradient = secondGradient[pixel * other + to - params.first]; }
    var value: f32;
    if (channel < params.first) { value = first[pixel * params.first + channel]; }
    else { value = second[pixel * other + channel - params.first]; }
    sum += gradient;
    product += gradient * value;
  }
  partials[2u * slice * params.channels + channel] = sum;
  partials[(2u * slice + 1u) * params.channels + channel] = product;
}
