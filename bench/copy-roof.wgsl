// What the adapter's memory can do at most from a kernel: thread t copies four vectors that lie a workgroup apart.

struct Params {
  vectors: u32,
}

@group(0) @binding(0) var<storage, read> input: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> result: array<vec4f>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = (group.x + group.y * groups.x) * 256u + lane;
  for (var step = 0u; step < 4u; step++) {
    let index = first + step * 64u;
    if (index < params.vectors) { result[index] = input[index]; }
  }
}
