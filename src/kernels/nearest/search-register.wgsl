// The search for GPUs: a thread holds four neighbouring queries and goes through the rows of its segment four at a time, so
// 16 sums in registers take eight loads of four elements for 64 multiply-adds. All threads of a workgroup read the same
// rows, which one cache line serves; neighbouring threads read neighbouring columns.

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let quad = group.x * 64u + lane;
  let column = group.x * params.vectors * 256u + lane;
  clear_lists();
  var worst = vec4f(EMPTY_VALUE);
  let end = min(params.rows, (group.y + 1u) * params.segment_rows);
  for (var row = group.y * params.segment_rows; row < end; row += 4u) {
    // Rows past the end are read as the last one and never offered.
    let rows = min(vec4u(row, row + 1u, row + 2u, row + 3u), vec4u(end - 1u));
    let start = rows * params.vectors;
    var sum0 = vec4f(norms[params.first_row + rows.x]);
    var sum1 = vec4f(norms[params.first_row + rows.y]);
    var sum2 = vec4f(norms[params.first_row + rows.z]);
    var sum3 = vec4f(norms[params.first_row + rows.w]);
    for (var k = 0u; k < params.vectors; k++) {
      let b0 = widen(bank[start.x + k]);
      let b1 = widen(bank[start.y + k]);
      let b2 = widen(bank[start.z + k]);
      let b3 = widen(bank[start.w + k]);
      let at = column + k * 256u;
      let q0 = columns[at];
      let q1 = columns[at + 64u];
      let q2 = columns[at + 128u];
      let q3 = columns[at + 192u];
      sum0 += b0.x * q0 + b0.y * q1 + b0.z * q2 + b0.w * q3;
      sum1 += b1.x * q0 + b1.y * q1 + b1.z * q2 + b1.w * q3;
      sum2 += b2.x * q0 + b2.y * q1 + b2.z * q2 + b2.w * q3;
      sum3 += b3.x * q0 + b3.y * q1 + b3.z * q2 + b3.w * q3;
    }
    for (var r = 0u; r < min(4u, end - row); r++) {
      var sum = sum0;
      switch r {
        case 1u: { sum = sum1; }
        case 2u: { sum = sum2; }
        case 3u: { sum = sum3; }
        default: {}
      }
      if (all(sum >= worst)) { continue; }
      for (var query = 0u; query < 4u; query++) {
        if (sum[query] < worst[query]) { worst[query] = insert(query, sum[query], params.first_row + row + r); }
      }
    }
  }
  for (var query = 0u; query < 4u; query++) { store(query, quad * 4u + query, group.y); }
}
