// The plain search, kept as the second oracle of the tests: thread t takes query t and goes through the rows of its
// segment one after the other.

@group(0) @binding(3) var<storage, read> columns: array<f32>; // [elements][columns]: o − q
@group(0) @binding(4) var<storage, read> bank: array<Stored>; // [rows][elements / 4]
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let query = group.x * 64u + lane;
  if (query >= params.queries) { return; }
  clear_list();
  var worst = EMPTY_VALUE;
  let vectors = params.elements / 4u;
  let end = min(params.rows, (group.y + 1u) * params.segment_rows);
  for (var row = group.y * params.segment_rows; row < end; row++) {
    let index = params.first_row + row;
    var value = norms[index];
    for (var k = 0u; k < vectors; k++) {
      let b = widen(bank[row * vectors + k]);
      for (var i = 0u; i < 4u; i++) {
        value += columns[(k * 4u + i) * params.columns + query] * b[i];
      }
    }
    if (value < worst) { worst = insert(value, index); }
  }
  store_list(query, group.y);
}
