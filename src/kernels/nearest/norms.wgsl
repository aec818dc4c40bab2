// Half the squared lengths of bank rows: LANES neighbouring threads sum a row (`norm-of-row.wgsl`).

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
  norm_of_row(((group.x + group.y * groups.x) * 64u + thread) / LANES, thread);
}
