// Seam smoothing with one strip of rows and one of columns, naïvely: thread t chooses element t.

struct Params {
  count: u32,
  height: i32,
  width: i32,
  rowStart: i32,
  rowEnd: i32,
  columnStart: i32,
  columnEnd: i32,
}

@group(0) @binding(0) var<storage, read> map: array<f32>;
@group(0) @binding(1) var<storage, read> blurred: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let x = i32(index) % params.width;
  let y = i32(index) / params.width % params.height;
  let in_rows = y >= params.rowStart && y < params.rowEnd;
  let in_columns = x >= params.columnStart && x < params.columnEnd;
  if (in_rows || in_columns) { result[index] = blurred[index]; } else { result[index] = map[index]; }
}
