// The search for GPUs: a thread holds four queries and goes through the rows of its segment four at a time, so 16 sums in
// registers take eight loads of four elements for 64 multiply-adds. All threads of a workgroup read the same rows, which
// one cache line serves. Thread t takes the queries t, t + 64, t + 128 and t + 192 of its workgroup's 256.

var<private> list0: List;
var<private> list1: List;
var<private> list2: List;
var<private> list3: List;

fn product(sum: vec4f, row: vec4f, q0: vec4f, q1: vec4f, q2: vec4f, q3: vec4f) -> vec4f {
  return sum + vec4f(dot(row, q0), dot(row, q1), dot(row, q2), dot(row, q3));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let query = group.x * 256u + lane;
  let last = params.queries - 1u;
  let column = min(vec4u(query, query + 64u, query + 128u, query + 192u), vec4u(last));
  clear(&list0);
  clear(&list1);
  clear(&list2);
  clear(&list3);
  let end = min(params.rows, (group.y + 1u) * params.segment_rows);
  for (var row = group.y * params.segment_rows; row < end; row += 4u) {
    // Rows past the end are read as the last one and never offered.
    let start = min(vec4u(row, row + 1u, row + 2u, row + 3u), vec4u(end - 1u)) * params.vectors;
    var sum0 = vec4f();
    var sum1 = vec4f();
    var sum2 = vec4f();
    var sum3 = vec4f();
    for (var k = 0u; k < params.vectors; k++) {
      let zero = widen(origin[k]);
      let at = k * params.queries + column;
      let q0 = columns[at.x];
      let q1 = columns[at.y];
      let q2 = columns[at.z];
      let q3 = columns[at.w];
      sum0 = product(sum0, widen(bank[start.x + k]) - zero, q0, q1, q2, q3);
      sum1 = product(sum1, widen(bank[start.y + k]) - zero, q0, q1, q2, q3);
      sum2 = product(sum2, widen(bank[start.z + k]) - zero, q0, q1, q2, q3);
      sum3 = product(sum3, widen(bank[start.w + k]) - zero, q0, q1, q2, q3);
    }
    for (var r = 0u; r < min(4u, end - row); r++) {
      var sum = sum0;
      switch r {
        case 1u: { sum = sum1; }
        case 2u: { sum = sum2; }
        case 3u: { sum = sum3; }
        default: {}
      }
      let index = params.first_row + row + r;
      let value = vec4f(norms[index]) - 2.0 * sum;
      if (value.x < list0.worst) { insert(&list0, value.x, index); }
      if (value.y < list1.worst) { insert(&list1, value.y, index); }
      if (value.z < list2.worst) { insert(&list2, value.z, index); }
      if (value.w < list3.worst) { insert(&list3, value.w, index); }
    }
  }
  store(&list0, query, group.y);
  store(&list1, query + 64u, group.y);
  store(&list2, query + 128u, group.y);
  store(&list3, query + 192u, group.y);
}
