// Joins the lists of all segments: thread t offers query t the members of its lists, segment after segment, the smallest of
// four at a time, so that their loads overlap. Segments are in the order of the rows, so equal values keep the lowest row
// number and the result does not depend on the cut.

struct Params {
  queries: u32,
  segments: u32,
  list: u32, // members of a list
}

@group(0) @binding(0) var<storage, read> values: array<f32>;  // [segments][list][queries], ascending
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read_write> merged: array<u32>; // [list][queries]
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let query = (group.x + group.y * groups.x) * 64u + lane;
  if (query >= params.queries) { return; }
  clear_list();
  var worst = EMPTY_VALUE;
  let pitch = params.list * params.queries;
  for (var segment = 0u; segment < params.segments; segment += 4u) {
    let of_four = min(vec4u(segment, segment + 1u, segment + 2u, segment + 3u), vec4u(params.segments - 1u));
    let at = of_four * pitch + query;
    let smallest = vec4f(values[at.x], values[at.y], values[at.z], values[at.w]);
    if (all(smallest >= vec4f(worst))) { continue; }
    for (var i = 0u; i < min(4u, params.segments - segment); i++) {
      var member = at[i];
      for (var slot = 0u; slot < params.list; slot++) {
        let value = values[member];
        if (value >= worst) { break; }
        worst = insert(value, indices[member]);
        member += params.queries;
      }
    }
  }
  for (var slot = 0u; slot < params.list; slot++) {
    merged[slot * params.queries + query] = list_indices[slot];
  }
}
