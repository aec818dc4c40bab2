// Pads the rows of a matrix with zeros to a multiple of four columns, so that it can be read as vec4: for right operands
// that are computed on the device, where the host cannot do it once while loading.
// Thread t computes element t of the padded matrix.

struct Params {
  count: u32, // of the padded matrix
  columns: u32,
  padded: u32,
}

@group(0) @binding(0) var<storage, read> input: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let column = index % params.padded;
  let row = index / params.padded;
  result[index] = select(0.0, input[row * params.columns + min(column, params.columns - 1u)], column < params.columns);
}
