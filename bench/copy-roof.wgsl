// What the adapter's memory can do at most from a kernel: thread t copies VECTORS vectors that lie a workgroup apart (APART) or
// side by side. Which is fastest depends on the adapter: hardware joins the loads of neighbouring threads, a software adapter
// makes them one by one and likes each thread to stay within a line of its cache. All are measured, and the fastest counts.

struct Params {
  vectors: u32, // a multiple of 64 · VECTORS
}

@group(0) @binding(0) var<storage, read> input: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> result: array<vec4f>;
@group(0) @binding(2) var<uniform> params: Params;

const VECTORS: u32 = 4u;
const APART: bool = true;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = (group.x + group.y * groups.x) * 64u * VECTORS + lane * select(VECTORS, 1u, APART);
  if (first >= params.vectors) { return; }
  for (var i = 0u; i < VECTORS; i++) {
    let index = first + i * select(1u, 64u, APART);
    result[index] = input[index];
  }
}
