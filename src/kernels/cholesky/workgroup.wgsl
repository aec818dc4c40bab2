// Variant of choleskyInverse, joined to blocks.wgsl: one workgroup a position. The factor goes column by column: thread 0
// computes the block on the diagonal, then all threads share the blocks below it. The inverse goes row by row, each thread
// a column of blocks; a round reads before it stores, since the row's factor is overwritten. The choice on hardware.

const WORKGROUP: u32 = 64u;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let position = group.x + group.y * groups.x;
  if (position >= params.count) { return; }
  base = params.skip + position * params.triangle;
  let scale = 1.0 / max(seen[0] - 1.0, 1.0);
  for (var j = 0u; j < params.dimensions; j += 4u) {
    if (lane == 0u) { factor_diagonal(j, scale); }
    storageBarrier();
    for (var i = j + 4u * (lane + 1u); i < params.dimensions; i += 4u * WORKGROUP) { factor_block(i, j, scale); }
    storageBarrier();
  }
  for (var i = 0u; i < params.dimensions; i += 4u) {
    let diagonal = inverse_diagonal(i);
    for (var first = 0u; first < i; first += 4u * WORKGROUP) {
      let j = first + 4u * lane;
      var block = mat4x4f();
      if (j < i) { block = inverse_block(i, j, diagonal); }
      storageBarrier();
      if (j < i) { store_block(i, j, block); }
      storageBarrier();
    }
    if (lane == 0u) { store_diagonal(row_starts(i), i, diagonal); }
    storageBarrier();
  }
}
