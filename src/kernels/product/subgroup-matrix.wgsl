// Implicit matrix product by the matrix units of the device: operands are rounded to 16-bit floats in workgroup memory,
// subgroups multiply blocks of M × K by K × N and add up in 32 bits. An order of magnitude more arithmetic than the other
// variants offer, for 11 bits of each operand and nothing above 65,504: so only where it is asked for.
// A workgroup of eight subgroups computes 64 rows × 64 columns, DEPTH values of the sum at a time; subgroup s has the rows
// of half s / 4 and the columns of quarter s % 4. Joined with rows.wgsl, one of the stores and the epilogue.

const SUBGROUP: u32 = 32u;
const M: u32 = 16u;
const N: u32 = 16u;
const K: u32 = 16u;

const DEPTH: u32 = 32u;
const THREADS: u32 = 8u * SUBGROUP;
const LOADED_ROWS: u32 = 8u * DEPTH / SUBGROUP; // by each thread
const LEFT_PITCH: u32 = DEPTH + 8u; // against bank conflicts
const RIGHT_PITCH: u32 = 64u + 8u;

alias Left = subgroup_matrix_left<f16, K, M>;
alias Right = subgroup_matrix_right<f16, N, K>;
alias Sum = subgroup_matrix_result<f32, N, M>;

var<workgroup> left: array<f16, 64 * LEFT_PITCH>; // [row, value of the sum]
var<workgroup> right: array<f16, DEPTH * RIGHT_PITCH>; // [value of the sum, column]
var<workgroup> sums_out: array<f32, 8 * M * 16>; // [subgroup, row, column]

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let tile = tile_of(group, groups);
  let subgroup = thread / SUBGROUP;
  let lane = thread % SUBGROUP;
  let first_row = subgroup / 4u * 32u;
  let first_column = subgroup % 4u * 16u;
  let depth = thread % DEPTH;
  let loaded_row = thread / DEPTH * LOADED_ROWS;
  var origins: array<Origin, LOADED_ROWS>;
  for (var i = 0u; i < 8 * DEPTH / SUBGROUP; i++) { // unroll
    origins[i] = origin_of(tile.y * 64u + loaded_row + i, group.z);
  }
  let column = tile.x * 16u + thread % 16u;
  let weights = group.z * params.plane_weight + column;
  var sums: array<Sum, 32 / M * 16 / N>;
  for (var tap_y = 0u; tap_y < params.taps_y; tap_y++) {
    for (var tap_x = 0u; tap_x < params.taps_x; tap_x++) {
      var runs: array<Run, LOADED_ROWS>;
      for (var i = 0u; i < 8 * DEPTH / SUBGROUP; i++) { // unroll
        runs[i] = run_of(origins[i], tap_y, tap_x);
      }
      let tap = weights + (tap_y * params.taps_x + tap_x) * params.tap_weights;
      for (var block = 0u; block < params.run; block += DEPTH) {
        workgroupBarrier();
        let inside = block + depth < params.run;
        for (var i = 0u; i < 8 * DEPTH / SUBGROUP; i++) { // unroll
          var value = 0.0;
          if (inside) { value = value_of(runs[i], block + depth); }
          left[(loaded_row + i) * LEFT_PITCH + depth] = f16(value);
        }
        for (var k = thread / 16u; k < DEPTH; k += THREADS / 16u) {
          var columns = vec4f(0.0);
          if (block + k < params.run && column < params.columns) {
            columns = vec4f(weight[tap + (block + k) * params.weight_stride]);
          }
          for (var i = 0u; i < 4u; i++) { // unroll
            right[k * RIGHT_PITCH + thread % 16u * 4u + i] = f16(columns[i]);
          }
        }
        workgroupBarrier();
        for (var k = 0u; k < DEPTH; k += K) {
          for (var i = 0u; i < 32 / M; i++) { // unroll
            let rows = subgroupMatrixLoad<Left, row_major>(&left, (first_row + i * M) * LEFT_PITCH + k, LEFT_PITCH);
            for (var j = 0u; j < 16 / N; j++) { // unroll
              let columns = subgroupMatrixLoad<Right, row_major>(&right, k * RIGHT_PITCH + first_column + j * N, RIGHT_PITCH);
              sums[i * (16 / N) + j] = subgroupMatrixMultiplyAccumulate(rows, columns, sums[i * (16 / N) + j]);
            }
          }
        }
      }
    }
  }
  for (var i = 0u; i < 32 / M; i++) { // unroll
    workgroupBarrier();
    for (var j = 0u; j < 16 / N; j++) { // unroll
      subgroupMatrixStore<row_major>(&sums_out, subgroup * M * 16u + j * N, sums[i * (16 / N) + j], 16u);
    }
    workgroupBarrier();
    for (var at = lane; at < M * 4u; at += SUBGROUP) {
      let start = subgroup * M * 16u + at * 4u;
      let sum = vec4f(sums_out[start], sums_out[start + 1u], sums_out[start + 2u], sums_out[start + 3u]);
      let sum_column = tile.x * 16u + first_column / 4u + at % 4u;
      store(sum, shift_of(group.z, sum_column), group.z, tile.y * 64u + first_row + i * M + at / 4u, sum_column);
    }
  }
}
