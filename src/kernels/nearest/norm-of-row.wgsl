// LANES neighbouring threads sum half the squared length of a bank row as seen from the origin (row 0 of the bank). All
// threads of the workgroup must call it.
fn norm_of_row(row: u32, thread: u32) {
  var sum = 0.0;
  if (row < params.rows) {
    for (var k = thread % LANES; k < params.vectors; k += LANES) {
      let v = widen(bank[row * params.vectors + k]) - widen(origin[k]);
      sum += dot(v, v);
    }
  }
  sum = sum_of_lanes(sum, thread);
  if (row < params.rows && thread % LANES == 0u) { norms[params.first_row + row] = 0.5 * sum; }
}
