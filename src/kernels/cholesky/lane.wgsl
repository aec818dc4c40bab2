// Variant of choleskyInverse, joined to blocks.wgsl: one thread a position goes through the blocks row by row, without a
// barrier. The choice on software adapters, where a barrier costs more than an uncoalesced load.

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let position = (group.x + group.y * groups.x) * 16u + lane;
  if (position >= params.count) { return; }
  base = params.skip + position * params.triangle;
  let scale = 1.0 / max(seen[0] - 1.0, 1.0);
  for (var i = 0u; i < params.dimensions; i += 4u) {
    for (var j = 0u; j < i; j += 4u) { factor_block(i, j, scale); }
    factor_diagonal(i, scale);
  }
  for (var i = 0u; i < params.dimensions; i += 4u) {
    let diagonal = inverse_diagonal(i);
    for (var j = 0u; j < i; j += 4u) { store_block(i, j, inverse_block(i, j, diagonal)); }
    store_diagonal(row_starts(i), i, diagonal);
  }
}
