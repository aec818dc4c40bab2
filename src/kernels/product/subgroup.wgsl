// Implicit matrix product with values handed round in the subgroup. On software adapters a load costs ten multiply-adds,
// and an address that all lanes share is no cheaper; so no lane loads what a neighbour has: each lane loads one value of
// each SUBGROUP rows, and all lanes get it by a broadcast.
// A workgroup is one subgroup and computes ROWS rows × SUBGROUP · GROUPS vec4 columns: lane l has the columns
// l, l + SUBGROUP, …. Joined with rows.wgsl, one of the stores and the epilogue. The default on software adapters.

const SUBGROUP: u32 = 8u;
const ROWS: u32 = 16u;
const GROUPS: u32 = 2u;

@compute @workgroup_size(SUBGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let tile = tile_of(group, groups);
  let first_row = tile.y * ROWS;
  let column = tile.x * SUBGROUP * GROUPS + lane;
  var origins: array<Origin, ROWS / SUBGROUP>;
  for (var i = 0u; i < ROWS / SUBGROUP; i++) { // unroll
    origins[i] = origin_of(first_row + i * SUBGROUP + lane, group.z);
  }
  var sums: array<vec4f, ROWS * GROUPS>;
  let weights = group.z * params.plane_weight + column;
  // Lanes beyond the last column compute what nobody stores.
  for (var tap_y = 0u; tap_y < params.taps_y; tap_y++) {
    for (var tap_x = 0u; tap_x < params.taps_x; tap_x++) {
      var runs: array<Run, ROWS / SUBGROUP>;
      for (var i = 0u; i < ROWS / SUBGROUP; i++) { // unroll
        runs[i] = run_of(origins[i], tap_y, tap_x);
      }
      var at = weights + (tap_y * params.taps_x + tap_x) * params.tap_weights;
      for (var k = 0u; k < params.run; k++) {
        var mine: array<f32, ROWS / SUBGROUP>;
        for (var i = 0u; i < ROWS / SUBGROUP; i++) { // unroll
          mine[i] = value_of(runs[i], k);
        }
        var factors: array<vec4f, GROUPS>;
        for (var j = 0u; j < GROUPS; j++) { // unroll
          factors[j] = vec4f(weight[at + j * SUBGROUP]);
        }
        at += params.weight_stride;
        for (var i = 0u; i < ROWS; i++) { // unroll
          let value = vec4f(subgroupBroadcast(mine[i / SUBGROUP], i % SUBGROUP));
          for (var j = 0u; j < GROUPS; j++) { // unroll
            sums[i * GROUPS + j] = fma(value, factors[j], sums[i * GROUPS + j]);
          }
        }
      }
    }
  }
  // Not written out in software: each store in the text costs the compiler tens of milliseconds.
  for (var j = 0u; j < GROUPS; j++) { // unroll-memory
    let shift = shift_of(group.z, column + j * SUBGROUP);
    for (var i = 0u; i < ROWS; i++) { // unroll-memory
      store(sums[i * GROUPS + j], shift, group.z, first_row + i, column + j * SUBGROUP);
    }
  }
}
