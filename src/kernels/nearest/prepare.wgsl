// What `norms.wgsl` and `transpose.wgsl` do, in one dispatch: on hardware, where the whole bank is bound and all queries are
// searched for together. The first `norm_groups` workgroups sum rows of the bank, the others turn queries.

struct Params {
  rows: u32,        // of the bank
  vectors: u32,     // elements of a row / 4
  first_row: u32,   // 0
  queries: u32,
  columns: u32,     // queries, rounded up to a multiple of four
  norm_groups: u32,
}

@group(0) @binding(0) var<storage, read> bank: array<Stored>;
@group(0) @binding(1) var<storage, read> origin: array<Stored>;
@group(0) @binding(2) var<storage, read_write> norms: array<f32>;
@group(0) @binding(3) var<storage, read> rows: array<vec4f>;        // queries
@group(0) @binding(4) var<storage, read_write> columns: array<f32>; // [elements][columns]
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let number = group.x + group.y * groups.x;
  if (number < params.norm_groups) {
    norm_of_row((number * 64u + thread) / LANES, thread);
  } else {
    turn_query((number - params.norm_groups) * 64u + thread);
  }
}
