// Implicit matrix product with a register tile: no shared memory, no subgroups, no barrier.
// Thread (x, y) of a workgroup of 8 × 8 computes ROWS neighbouring rows × 4 columns; each right value that it loads is
// used ROWS times, each left value 4 times. Joined with rows.wgsl, one of the stores and the epilogue.
// The default nowhere; the fastest that every adapter can run without barriers.

const ROWS: u32 = 4u;

@compute @workgroup_size(8, 8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let tile = tile_of(group, groups);
  let first_row = (tile.y * 8u + local.y) * ROWS;
  let column = tile.x * 8u + local.x;
  let plane = group.z;
  var origins: array<Origin, ROWS>;
  for (var i = 0u; i < ROWS; i++) { // unroll-memory
    origins[i] = origin_of(first_row + i, plane);
  }
  var sums: array<vec4f, ROWS>;
  for (var tap_y = 0u; tap_y < params.taps_y; tap_y++) {
    for (var tap_x = 0u; tap_x < params.taps_x; tap_x++) {
      var runs: array<Run, ROWS>;
      for (var i = 0u; i < ROWS; i++) { // unroll-memory
        runs[i] = run_of(origins[i], tap_y, tap_x);
      }
      var at = plane * params.plane_weight + column + (tap_y * params.taps_x + tap_x) * params.tap_weights;
      for (var k = 0u; k < params.run; k++) {
        let factors = vec4f(weight[at]);
        at += params.weight_stride;
        for (var i = 0u; i < ROWS; i++) { // unroll
          sums[i] = fma(vec4f(value_of(runs[i], k)), factors, sums[i]);
        }
      }
    }
  }
  let shift = shift_of(plane, column);
  for (var i = 0u; i < ROWS; i++) { // unroll-memory
    store(sums[i], shift, plane, first_row + i, column);
  }
}
