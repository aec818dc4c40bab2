// The search for software adapters, where a load costs ten multiply-adds: a workgroup is one subgroup of LANES lanes. A lane
// holds GROUPS times four neighbouring queries, loads its share of the TILE bank rows, and hands it round by a broadcast:
// as the matrix product for these adapters does, and at its speed, since a tile's sums seldom change a list.
// A broadcast needs a constant lane number, so the loops marked `unroll` are written out by the record.

const LANES: u32 = 8u;
const TILE: u32 = 16u;
const GROUPS: u32 = 2u;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let quad = group.x * GROUPS * LANES + lane;
  clear_lists();
  var worst: array<vec4f, GROUPS>;
  for (var j = 0u; j < GROUPS; j++) { // unroll
    worst[j] = vec4f(EMPTY_VALUE);
  }
  let end = min(params.rows, (group.y + 1u) * params.segment_rows);
  for (var tile = group.y * params.segment_rows; tile < end; tile += TILE) {
    // Sums begin at ½|b − o|². That of a row past the end is larger than any, so it never enters a list.
    var starts: array<u32, TILE / LANES>;
    var sums: array<vec4f, TILE * GROUPS>;
    for (var i = 0u; i < TILE / LANES; i++) { // unroll
      let own = tile + i * LANES + lane;
      let row = min(own, end - 1u);
      starts[i] = row * params.vectors * 2u;
      let norm = select(EMPTY_VALUE, norms[params.first_row + row], own < end);
      for (var source = 0u; source < LANES; source++) { // unroll
        let shared_norm = vec4f(subgroupBroadcast(norm, source));
        for (var j = 0u; j < GROUPS; j++) { // unroll
          sums[(i * LANES + source) * GROUPS + j] = shared_norm;
        }
      }
    }
    var line = group.x * GROUPS * LANES * params.vectors * 4u + lane;
    for (var k = 0u; k < params.vectors * 2u; k++) {
      var mine: array<vec2f, TILE / LANES>;
      for (var i = 0u; i < TILE / LANES; i++) { // unroll
        mine[i] = widen_pair(bank[starts[i] + k]);
      }
      for (var c = 0u; c < 2u; c++) { // unroll
        var factors: array<vec4f, GROUPS>;
        for (var j = 0u; j < GROUPS; j++) { // unroll
          factors[j] = columns[line + j * LANES];
        }
        line += GROUPS * LANES;
        for (var i = 0u; i < TILE; i++) { // unroll
          let b = vec4f(subgroupBroadcast(mine[i / LANES][c], i % LANES));
          for (var j = 0u; j < GROUPS; j++) { // unroll
            sums[i * GROUPS + j] = fma(b, factors[j], sums[i * GROUPS + j]);
          }
        }
      }
    }
    // Rows that some list takes, as bits: after the first tiles seldom any. Picking sums by number takes selects, which are
    // still cheaper than a way through memory.
    var taken = 0u;
    for (var i = 0u; i < TILE; i++) { // unroll
      for (var j = 0u; j < GROUPS; j++) { // unroll
        taken |= select(0u, 1u << i, any(sums[i * GROUPS + j] < worst[j]));
      }
    }
    while (taken != 0u) {
      let number = firstTrailingBit(taken);
      taken &= taken - 1u;
      let index = params.first_row + tile + number;
      for (var j = 0u; j < GROUPS; j++) { // unroll
        var sum = vec4f();
        for (var i = 0u; i < TILE; i++) { // unroll
          sum = select(sum, sums[i * GROUPS + j], number == i);
        }
        if (sum.x < worst[j].x) { worst[j].x = insert(j * 4u, sum.x, index); }
        if (sum.y < worst[j].y) { worst[j].y = insert(j * 4u + 1u, sum.y, index); }
        if (sum.z < worst[j].z) { worst[j].z = insert(j * 4u + 2u, sum.z, index); }
        if (sum.w < worst[j].w) { worst[j].w = insert(j * 4u + 3u, sum.w, index); }
      }
    }
  }
  for (var list = 0u; list < GROUPS * 4u; list++) {
    store(list, (quad + list / 4u * LANES) * 4u + list % 4u, group.y);
  }
}
