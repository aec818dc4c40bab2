// The plain search, kept as the second oracle of the tests: thread t takes query t and goes through the rows of its
// segment one after the other.

var<private> list: List;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let query = group.x * 64u + lane;
  let column = min(query, params.queries - 1u);
  clear(&list);
  let end = min(params.rows, (group.y + 1u) * params.segment_rows);
  for (var row = group.y * params.segment_rows; row < end; row++) {
    var sum = 0.0;
    for (var k = 0u; k < params.vectors; k++) {
      let b = widen(bank[row * params.vectors + k]) - widen(origin[k]);
      sum += dot(columns[k * params.queries + column], b);
    }
    let index = params.first_row + row;
    let value = norms[index] - 2.0 * sum;
    if (value < list.worst) { insert(&list, value, index); }
  }
  store(&list, query, group.y);
}
