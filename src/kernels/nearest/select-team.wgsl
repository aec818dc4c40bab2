// The second half of a search by matrix product, on hardware: a workgroup takes QUERIES neighbouring queries, whose scores
// fill a memory sector of 32 bytes, and a segment's rows in SLICES runs, a thread each, which reads AHEAD rows at a time so
// that its loads overlap. All of a device's threads are so at work on few segments, whose lists are few to merge.

@group(0) @binding(3) var<storage, read> scores: array<f32>; // [rows][columns]
@group(0) @binding(4) var<uniform> params: Params;

const AHEAD: u32 = 8u;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let query = group.x * QUERIES + thread % QUERIES;
  let column = min(query, params.queries - 1u); // threads past the last query go along to the barriers
  let first = group.y * params.segment_rows;
  let segment_end = min(params.rows, first + params.segment_rows);
  let slice_rows = (segment_end - first + SLICES - 1u) / SLICES;
  let start = first + thread / QUERIES * slice_rows;
  let end = min(segment_end, start + slice_rows);
  clear_list();
  for (var row = start; row < end; row += AHEAD) {
    var ahead: array<f32, AHEAD>;
    for (var i = 0u; i < AHEAD; i++) { // unroll
      // Rows past the end are read as the last one and are no member of any list.
      let at = min(row + i, end - 1u);
      ahead[i] = select(EMPTY_VALUE, scores[at * params.columns + column] + norms[params.first_row + at], row + i < end);
    }
    for (var i = 0u; i < AHEAD; i++) { // unroll
      offer(ahead[i], params.first_row + row + i);
    }
  }
  join_lists(thread);
  let place = (params.first_segment + group.y) * LIST * params.queries + query;
  if (query < params.queries) {
    for (var slot = thread / QUERIES; slot < LIST; slot += SLICES) {
      values[place + slot * params.queries] = team_values[slot * THREADS + thread % QUERIES];
      indices[place + slot * params.queries] = team_indices[slot * THREADS + thread % QUERIES];
    }
  }
}
