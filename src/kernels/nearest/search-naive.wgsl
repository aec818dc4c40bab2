// The plain search, kept as the second oracle of the tests: thread t takes query t and goes through the rows of its
// segment one after the other.

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let query = group.x * 64u + lane;
  let column = group.x * params.vectors * 256u + lane;
  clear_lists();
  var worst = EMPTY_VALUE;
  let end = min(params.rows, (group.y + 1u) * params.segment_rows);
  for (var row = group.y * params.segment_rows; row < end; row++) {
    let index = params.first_row + row;
    var value = norms[index];
    for (var k = 0u; k < params.vectors; k++) {
      let b = widen(bank[row * params.vectors + k]);
      for (var i = 0u; i < 4u; i++) {
        value += columns[column + (k * 4u + i) * 64u] * b[i];
      }
    }
    if (value < worst) { worst = insert(0u, value, index); }
  }
  store(0u, query, group.y);
}
