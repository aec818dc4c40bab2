// Joins the lists of all segments, on hardware: a workgroup takes QUERIES queries, a thread the lists of a run of segments.
// Segments are in the order of the rows, so equal values keep the lowest row and the result does not depend on the cut.

struct Params {
  queries: u32,
  segments: u32,
}

@group(0) @binding(0) var<storage, read> values: array<f32>;  // [segments][LIST][queries], ascending
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read_write> merged: array<u32>; // [LIST][queries]
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let query = group.x * QUERIES + thread % QUERIES;
  let column = min(query, params.queries - 1u); // threads past the last query go along to the barriers
  let slice_segments = (params.segments + SLICES - 1u) / SLICES;
  let start = thread / QUERIES * slice_segments;
  let end = min(params.segments, start + slice_segments);
  clear_list();
  for (var segment = start; segment < end; segment++) {
    let place = segment * LIST * params.queries + column;
    var offered: array<f32, LIST>;
    for (var slot = 0u; slot < LIST; slot++) { // unroll
      offered[slot] = values[place + slot * params.queries];
    }
    for (var slot = 0u; slot < LIST; slot++) { // unroll
      offer(offered[slot], indices[place + slot * params.queries]);
    }
  }
  join_lists(thread);
  if (query < params.queries) {
    for (var slot = thread / QUERIES; slot < LIST; slot += SLICES) {
      merged[slot * params.queries + query] = team_indices[slot * THREADS + thread % QUERIES];
    }
  }
}
