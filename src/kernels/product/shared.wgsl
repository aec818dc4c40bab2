// Implicit matrix product through workgroup memory: a block of both operands is loaded once a workgroup, each thread
// computes 4 rows × 4 columns of it from there.
// A workgroup of SIDE × SIDE threads computes 4 · SIDE rows × 4 · SIDE columns, DEPTH values of the sum at a time; thread
// (x, y) has the columns 4x … 4x + 3 and the rows 4y … 4y + 3. Joined with rows.wgsl, one of the stores and the epilogue.
// The default on hardware, where workgroup memory is a cache that all threads fill together; the barriers make it the
// slowest on software adapters.

const SIDE: u32 = 16u;
const DEPTH: u32 = 16u;

const PITCH: u32 = SIDE + 1u; // one more than needed, against bank conflicts

var<workgroup> left: array<vec4f, DEPTH * PITCH>; // [value of the sum, row / 4]
var<workgroup> right: array<vec4f, DEPTH * SIDE>; // [value of the sum, column / 4]

@compute @workgroup_size(SIDE, SIDE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let tile = tile_of(group, groups);
  // What this thread loads: of four rows the value `local.x` of the sum, of four columns the value `local.y`, so that
  // neighbouring threads read neighbouring floats in both; DEPTH / SIDE times.
  var origins: array<Origin, 4>;
  for (var i = 0u; i < 4u; i++) { // unroll-memory
    origins[i] = origin_of((tile.y * SIDE + local.y) * 4u + i, group.z);
  }
  let column = tile.x * SIDE + local.x;
  let weights = group.z * params.plane_weight + column;
  var sums: array<vec4f, 4>;
  for (var tap_y = 0u; tap_y < params.taps_y; tap_y++) {
    for (var tap_x = 0u; tap_x < params.taps_x; tap_x++) {
      var runs: array<Run, 4>;
      for (var i = 0u; i < 4u; i++) { // unroll-memory
        runs[i] = run_of(origins[i], tap_y, tap_x);
      }
      let tap = weights + (tap_y * params.taps_x + tap_x) * params.tap_weights;
      for (var block = 0u; block < params.run; block += DEPTH) {
        workgroupBarrier();
        for (var part = 0u; part < DEPTH / SIDE; part++) { // unroll-memory
          let k = block + part * SIDE + local.x;
          var rows = vec4f(0.0);
          if (k < params.run) {
            for (var i = 0u; i < 4u; i++) { // unroll-memory
              rows[i] = value_of(runs[i], k);
            }
          }
          left[(part * SIDE + local.x) * PITCH + local.y] = rows;
          let depth = part * SIDE + local.y;
          var columns = vec4f(0.0);
          if (block + depth < params.run && column < params.columns) {
            columns = vec4f(weight[tap + (block + depth) * params.weight_stride]);
          }
          right[depth * SIDE + local.x] = columns;
        }
        workgroupBarrier();
        for (var k = 0u; k < DEPTH; k++) { // unroll-memory
          let rows = left[k * PITCH + local.y];
          let columns = right[k * SIDE + local.x];
          for (var i = 0u; i < 4u; i++) { // unroll
            sums[i] = fma(vec4f(rows[i]), columns, sums[i]);
          }
        }
      }
    }
  }
  for (var i = 0u; i < 4u; i++) { // unroll-memory
    store(sums[i], group.z, (tile.y * SIDE + local.y) * 4u + i, column);
  }
}
