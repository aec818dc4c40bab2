// Half the squared length of each bank row as seen from the origin (row 0 of the bank). LANES neighbouring threads sum a row.

struct Params {
  rows: u32,
  vectors: u32,   // elements of a row / 4
  first_row: u32, // number of the first bound row, where its norm goes
}

@group(0) @binding(0) var<storage, read> bank: array<Stored>;
@group(0) @binding(1) var<storage, read> origin: array<Stored>;
@group(0) @binding(2) var<storage, read_write> norms: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row = ((group.x + group.y * groups.x) * 64u + thread) / LANES;
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
