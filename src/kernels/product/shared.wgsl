// Implicit matrix product through workgroup memory: a block of both operands is loaded once a workgroup, each thread
// computes 4 · HEIGHT rows × 4 · WIDTH columns of it from there. A value that is read from workgroup memory serves one
// multiply-add for each vec4 of the other operand that the thread holds: 8 × 8 reads half as much a multiply-add as 4 × 4,
// and leaves half as many workgroups.
// A workgroup of SIDE × SIDE threads computes 4 · SIDE · HEIGHT rows × 4 · SIDE · WIDTH columns, DEPTH values of the sum at
// a time; thread (x, y) has the vec4 columns x, x + SIDE, … and the groups of four rows y, y + SIDE, …. Joined with
// rows.wgsl, one of the stores and the epilogue. The default on hardware, where workgroup memory is a cache that all
// threads fill together; the barriers make it the slowest on software adapters.

const SIDE: u32 = 16u;
const DEPTH: u32 = 16u;
const HEIGHT: u32 = 1u;
const WIDTH: u32 = 1u;

const ROWS: u32 = SIDE * HEIGHT; // in groups of four
const COLUMNS: u32 = SIDE * WIDTH; // vec4
const PITCH: u32 = ROWS + 1u; // one more than needed, against bank conflicts

var<workgroup> left: array<vec4f, DEPTH * PITCH>; // [value of the sum, row / 4]
var<workgroup> right: array<vec4f, DEPTH * COLUMNS>; // [value of the sum, column / 4]

@compute @workgroup_size(SIDE, SIDE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let tile = tile_of(group, groups);
  // What this thread loads: of its rows the value `local.x` of the sum, of its columns the value `local.y`, so that
  // neighbouring threads read neighbouring floats in both; DEPTH / SIDE times.
  var origins: array<Origin, 4 * HEIGHT>;
  for (var i = 0u; i < 4 * HEIGHT; i++) { // unroll-memory
    origins[i] = origin_of((tile.y * ROWS + i / 4u * SIDE + local.y) * 4u + i % 4u, group.z);
  }
  let column = tile.x * COLUMNS + local.x;
  let weights = group.z * params.plane_weight + column;
  var sums: array<vec4f, 4 * HEIGHT * WIDTH>;
  for (var tap_y = 0u; tap_y < params.taps_y; tap_y++) {
    for (var tap_x = 0u; tap_x < params.taps_x; tap_x++) {
      var runs: array<Run, 4 * HEIGHT>;
      for (var i = 0u; i < 4 * HEIGHT; i++) { // unroll-memory
        runs[i] = run_of(origins[i], tap_y, tap_x);
      }
      let tap = weights + (tap_y * params.taps_x + tap_x) * params.tap_weights;
      for (var block = 0u; block < params.run; block += DEPTH) {
        workgroupBarrier();
        for (var part = 0u; part < DEPTH / SIDE; part++) { // unroll-memory
          let k = block + part * SIDE + local.x;
          for (var h = 0u; h < HEIGHT; h++) { // unroll-memory
            var rows = vec4f(0.0);
            if (k < params.run) {
              for (var i = 0u; i < 4u; i++) { // unroll-memory
                rows[i] = value_of(runs[h * 4u + i], k);
              }
            }
            left[(part * SIDE + local.x) * PITCH + h * SIDE + local.y] = rows;
          }
          let depth = part * SIDE + local.y;
          for (var w = 0u; w < WIDTH; w++) { // unroll-memory
            var columns = vec4f(0.0);
            if (block + depth < params.run && column + w * SIDE < params.columns) {
              columns = vec4f(weight[tap + w * SIDE + (block + depth) * params.weight_stride]);
            }
            right[depth * COLUMNS + w * SIDE + local.x] = columns;
          }
        }
        workgroupBarrier();
        for (var k = 0u; k < DEPTH; k++) { // unroll-memory
          var columns: array<vec4f, WIDTH>;
          for (var w = 0u; w < WIDTH; w++) { // unroll
            columns[w] = right[k * COLUMNS + w * SIDE + local.x];
          }
          for (var h = 0u; h < HEIGHT; h++) { // unroll
            let rows = left[k * PITCH + h * SIDE + local.y];
            for (var i = 0u; i < 4u; i++) { // unroll
              for (var w = 0u; w < WIDTH; w++) { // unroll
                sums[(h * 4u + i) * WIDTH + w] = fma(vec4f(rows[i]), columns[w], sums[(h * 4u + i) * WIDTH + w]);
              }
            }
          }
        }
      }
    }
  }
  for (var w = 0u; w < WIDTH; w++) { // unroll-memory
    let shift = shift_of(group.z, column + w * SIDE);
    for (var i = 0u; i < 4 * HEIGHT; i++) { // unroll-memory
      store(sums[i * WIDTH + w], shift, group.z, (tile.y * ROWS + i / 4u * SIDE + local.y) * 4u + i % 4u, column + w * SIDE);
    }
  }
}
