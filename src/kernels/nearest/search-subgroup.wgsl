// The search for software adapters, where a load costs far more than a multiply-add: a workgroup is one subgroup of LANES
// lanes. A lane holds two queries (LANES apart), loads ROWS of the tile's LANES · ROWS bank rows, and hands
// them round with subgroupBroadcast, so seven loads of four elements serve 256 multiply-adds (LANES 8, ROWS 4).
// A broadcast needs a constant lane number, so the loops marked `unroll` are written out by the record.

const LANES: u32 = 8u;
const ROWS: u32 = 4u;
const TILE: u32 = LANES * ROWS;

var<private> list0: List;
var<private> list1: List;
var<private> products: array<vec2f, TILE>;

fn product(sum: vec2f, row: vec4f, q0: vec4f, q1: vec4f) -> vec2f {
  let x = fma(vec2f(row.x), vec2f(q0.x, q1.x), sum);
  let y = fma(vec2f(row.y), vec2f(q0.y, q1.y), x);
  let z = fma(vec2f(row.z), vec2f(q0.z, q1.z), y);
  return fma(vec2f(row.w), vec2f(q0.w, q1.w), z);
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let query = group.x * 2u * LANES + lane;
  let column0 = min(query, params.queries - 1u);
  let column1 = min(query + LANES, params.queries - 1u);
  clear(&list0);
  clear(&list1);
  let end = min(params.rows, (group.y + 1u) * params.segment_rows);
  for (var tile = group.y * params.segment_rows; tile < end; tile += TILE) {
    // Rows past the end are read as the last one and never offered.
    var starts: array<u32, ROWS>;
    for (var row_number = 0u; row_number < ROWS; row_number++) { // unroll
      starts[row_number] = min(tile + row_number * LANES + lane, end - 1u) * params.vectors;
    }
    var sums: array<vec2f, TILE>;
    // A declaration in a loop is not set to zero anew on every turn by all compilers.
    for (var row_number = 0u; row_number < ROWS; row_number++) { // unroll
      for (var source = 0u; source < LANES; source++) { // unroll
        sums[row_number * LANES + source] = vec2f();
      }
    }
    for (var k = 0u; k < params.vectors; k++) {
      let q0 = columns[k * params.queries + column0];
      let q1 = columns[k * params.queries + column1];
      let zero = widen(origin[k]);
      var rows: array<vec4f, ROWS>;
      for (var row_number = 0u; row_number < ROWS; row_number++) { // unroll
        rows[row_number] = widen(bank[starts[row_number] + k]) - zero;
      }
      for (var row_number = 0u; row_number < ROWS; row_number++) { // unroll
        for (var source = 0u; source < LANES; source++) { // unroll
          sums[row_number * LANES + source] = product(sums[row_number * LANES + source], subgroupBroadcast(rows[row_number], source), q0, q1);
        }
      }
    }
    // Through memory, so that one loop offers what straight-line code has summed.
    for (var row_number = 0u; row_number < ROWS; row_number++) { // unroll
      for (var source = 0u; source < LANES; source++) { // unroll
        products[row_number * LANES + source] = sums[row_number * LANES + source];
      }
    }
    for (var row = tile; row < min(end, tile + TILE); row++) {
      let index = params.first_row + row;
      let value = vec2f(norms[index]) - 2.0 * products[row - tile];
      if (value.x < list0.worst) { insert(&list0, value.x, index); }
      if (value.y < list1.worst) { insert(&list1, value.y, index); }
    }
  }
  store(&list0, query, group.y);
  store(&list1, query + LANES, group.y);
}
