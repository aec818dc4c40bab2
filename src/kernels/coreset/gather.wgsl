// Copies listed points: into blocks of 64 like those they come from, or as rows behind each other (AS_ROWS).
// Thread t copies one vector, in the order of the target. Points that are not among those bound are left to the dispatch
// that binds them.

struct Params {
  points: u32,      // bound
  vectors: u32,     // elements of a point / 4
  first_point: u32, // number of the first bound point
  count: u32,       // listed
}

@group(0) @binding(0) var<storage, read> points: array<vec4f>; // [blocks][vectors][64]
@group(0) @binding(1) var<storage, read> list: array<u32>;
@group(0) @binding(2) var<storage, read_write> target_points: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;

const AS_ROWS: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  var entry = index / params.vectors;
  var k = index % params.vectors;
  if (!AS_ROWS) {
    entry = index / 64u / params.vectors * 64u + index % 64u;
    k = index / 64u % params.vectors;
  }
  if (entry >= params.count) { return; }
  let place = list[entry] - params.first_point; // wraps to something large for earlier points
  if (place >= params.points) { return; }
  target_points[index] = points[(place / 64u * params.vectors + k) * 64u + place % 64u];
}
