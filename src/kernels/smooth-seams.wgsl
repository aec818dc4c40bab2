// Keeps blurred values only inside strips: result = blurred where the row or the column is marked, map elsewhere.
// Thread (i, y, b) computes element i of row y of map b; i runs over width × channels, channels innermost.

struct Params {
  width: u32,
  channels: u32,
}

@group(0) @binding(0) var<storage, read> map: array<f32>;
@group(0) @binding(1) var<storage, read> blurred: array<f32>;
@group(0) @binding(2) var<storage, read> rows: array<u32>;
@group(0) @binding(3) var<storage, read> columns: array<u32>;
@group(0) @binding(4) var<storage, read_write> result: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let rowLength = params.width * params.channels;
  if (id.x >= rowLength) { return; }
  let at = (id.z * groups.y + id.y) * rowLength + id.x;
  if ((rows[id.y] | columns[id.x / params.channels]) != 0u) {
    result[at] = blurred[at];
  } else {
    result[at] = map[at];
  }
}
