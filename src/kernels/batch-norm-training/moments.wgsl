// Mean and sum of squared deviations of every channel over slices of rows (a row is a pixel). Two passes over a slice,
// so that nothing cancels however large the mean is.
// Thread t = slice · channels + channel writes partials[slice, 0, channel] (mean) and partials[slice, 1, channel].

struct Params {
  rows: u32,
  slice_rows: u32,
  slices: u32,
  channels: u32,    // in Values
}

alias Value = f32;

@group(0) @binding(0) var<storage, read> input: array<Value>;
@group(0) @binding(1) var<storage, read_write> partials: array<Value>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.slices * params.channels) { return; }
  let channel = index % params.channels;
  let slice = index / params.channels;
  let first = slice * params.slice_rows;
  let end = min(params.rows, first + params.slice_rows);
  var sum = Value(0.0);
  for (var row = first; row < end; row++) { sum += input[row * params.channels + channel]; }
  let mean = sum / f32(end - first);
  var squares = Value(0.0);
  for (var row = first; row < end; row++) {
    let deviation = input[row * params.channels + channel] - mean;
    squares += deviation * deviation;
  }
  partials[2u * slice * params.channels + channel] = mean;
  partials[(2u * slice + 1u) * params.channels + channel] = squares;
}
