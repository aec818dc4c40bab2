// The second half of a search by matrix product: a block of b·(o − q) lies in memory, and thread t goes through the rows of
// its segment for query t, four at a time, so that their loads overlap. Neighbouring threads read neighbouring scores. A
// score is written and read once and takes as many multiply-adds as a row has elements, so this costs little beside it.

@group(0) @binding(3) var<storage, read> scores: array<f32>; // [rows][columns]
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let query = group.x * 64u + lane;
  if (query >= params.queries) { return; }
  clear_list();
  var worst = EMPTY_VALUE;
  let end = min(params.rows, (group.y + 1u) * params.segment_rows);
  for (var row = group.y * params.segment_rows; row < end; row += 4u) {
    // Rows past the end are read as the last one and never offered.
    let rows = min(vec4u(row, row + 1u, row + 2u, row + 3u), vec4u(end - 1u));
    let at = rows * params.columns + query;
    let index = rows + params.first_row;
    let score = vec4f(scores[at.x], scores[at.y], scores[at.z], scores[at.w])
      + vec4f(norms[index.x], norms[index.y], norms[index.z], norms[index.w]);
    if (all(score >= vec4f(worst))) { continue; }
    for (var i = 0u; i < min(4u, end - row); i++) {
      if (score[i] < worst) { worst = insert(score[i], params.first_row + row + i); }
    }
  }
  store_list(query, group.y);
}
