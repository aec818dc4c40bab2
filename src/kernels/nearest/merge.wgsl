// Joins the lists of all segments: thread t offers query t the members of its lists, segment after segment. Segments are
// in the order of the rows, so equal values keep the lowest row number and the result does not depend on the cut.

struct Params {
  queries: u32,
  segments: u32,
  list: u32, // members of a list
}

@group(0) @binding(0) var<storage, read> values: array<f32>;  // [segments][queries][list]
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read_write> merged: array<u32>; // [queries][list]
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let query = (group.x + group.y * groups.x) * 64u + lane;
  if (query >= params.queries) { return; }
  clear_lists();
  var worst = EMPTY_VALUE;
  for (var segment = 0u; segment < params.segments; segment++) {
    let first = (segment * params.queries + query) * params.list;
    for (var slot = 0u; slot < params.list; slot++) {
      let value = values[first + slot];
      if (value < worst) { worst = insert(0u, value, indices[first + slot]); }
    }
  }
  for (var slot = 0u; slot < params.list; slot++) {
    merged[query * params.list + slot] = list_indices[slot];
  }
}
