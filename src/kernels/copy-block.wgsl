// Copies a block of columns from one row-major matrix into another: what concat and slice consist of.
// Thread t copies the ITEMS Values of the block from ITEMS · t on, row by row: one division for all of them. ITEMS is 1 on
// hardware, where neighbouring threads should touch neighbouring Values.

struct Params {
  rows: u32,
  length: u32,          // of a row of the block, in Values like all that follows
  sourceStride: u32,
  sourceOffset: u32,
  targetStride: u32,
  targetOffset: u32,
}

alias Value = f32;
const ITEMS: u32 = 1u;

@group(0) @binding(0) var<storage, read> source: array<Value>;
@group(0) @binding(1) var<storage, read_write> result: array<Value>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = ((group.x + group.y * groups.x) * 64u + lane) * ITEMS;
  var row = first / params.length;
  var column = first - row * params.length;
  for (var item = 0u; item < ITEMS; item++) {
    if (row >= params.rows) { return; }
    result[row * params.targetStride + params.targetOffset + column] =
      source[row * params.sourceStride + params.sourceOffset + column];
    column += 1u;
    if (column == params.length) {
      column = 0u;
      row += 1u;
    }
  }
}
