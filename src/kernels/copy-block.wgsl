// Copies a block of columns from one row-major matrix into another: what concat and slice consist of.
// Thread t copies Value t of the block, row by row.

struct Params {
  rows: u32,
  length: u32,          // of a row of the block, in Values like all that follows
  sourceStride: u32,
  sourceOffset: u32,
  targetStride: u32,
  targetOffset: u32,
}

alias Value = f32;

@group(0) @binding(0) var<storage, read> source: array<Value>;
@group(0) @binding(1) var<storage, read_write> result: array<Value>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  let row = index / params.length;
  if (row >= params.rows) { return; }
  let column = index - row * params.length;
  result[row * params.targetStride + params.targetOffset + column] =
    source[row * params.sourceStride + params.sourceOffset + column];
}
