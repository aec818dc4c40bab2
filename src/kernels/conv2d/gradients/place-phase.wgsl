// Puts the pixels of one phase into their places of the whole image: result[first + stride · i] = phase[i]. A phase that
// no tap reaches is filled with zeros (ZERO), and `phase` is not read.
// Thread t handles Value t of the phase.

struct Params {
  count: u32,               // Values of the phase
  phase_height: u32, phase_width: u32,
  height: u32, width: u32,
  channels: u32,            // in Values
  first_y: u32, first_x: u32,
  stride_y: u32, stride_x: u32,
}

alias Value = f32;

@group(0) @binding(0) var<storage, read> phase: array<Value>;
@group(0) @binding(1) var<storage, read_write> result: array<Value>;
@group(0) @binding(2) var<uniform> params: Params;

const ZERO: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let channel = index % params.channels;
  let pixel = index / params.channels;
  let x = params.first_x + pixel % params.phase_width * params.stride_x;
  let line = pixel / params.phase_width;
  let y = params.first_y + line % params.phase_height * params.stride_y;
  let image = line / params.phase_height;
  var value = Value(0.0);
  if (!ZERO) { value = phase[index]; }
  result[((image * params.height + y) * params.width + x) * params.channels + channel] = value;
}
