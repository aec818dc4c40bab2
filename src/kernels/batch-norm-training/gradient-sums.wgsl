// What the gradient of a batch normalisation needs of a whole channel, over slices of rows: the sum of the incoming
// gradient (of the bias) and of its product with the normalised input (of the weight).
// Thread t = slice · channels + channel writes partials[slice, 0, channel] and partials[slice, 1, channel].

struct Params {
  rows: u32,
  slice_rows: u32,
  slices: u32,
  channels: u32,    // in Values
  epsilon: f32,
}

alias Value = f32;

@group(0) @binding(0) var<storage, read> input: array<Value>;
@group(0) @binding(1) var<storage, read> gradient: array<Value>;
@group(0) @binding(2) var<storage, read> moments: array<Value>; // [2, channels]
@group(0) @binding(3) var<storage, read_write> partials: array<Value>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.slices * params.channels) { return; }
  let channel = index % params.channels;
  let slice = index / params.channels;
  let mean = moments[channel];
  let deviation = sqrt(moments[params.channels + channel] + params.epsilon);
  var sum = Value(0.0);
  var product = Value(0.0);
  let end = min(params.rows, (slice + 1u) * params.slice_rows);
  for (var row = slice * params.slice_rows; row < end; row++) {
    let at = row * params.channels + channel;
    sum += gradient[at];
    product += gradient[at] * (input[at] - mean);
  }
  partials[2u * slice * params.channels + channel] = sum;
  partials[(2u * slice + 1u) * params.channels + channel] = product / deviation;
}
