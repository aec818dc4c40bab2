// Leaves a thread's list (`list.wgsl`) with those of all queries and segments (`search.wgsl`).
fn store_list(query: u32, segment: u32) {
  let first = (params.first_segment + segment) * params.list * params.queries + query;
  for (var slot = 0u; slot < params.list; slot++) {
    values[first + slot * params.queries] = list_values[slot];
    indices[first + slot * params.queries] = list_indices[slot];
  }
}
