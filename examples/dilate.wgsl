// Grows what is bright: result[y, x] is the largest value of the map within a square of 2 · radius + 1 around it.
// Thread (x, y) computes one pixel. Pixels outside of the map count for nothing.

struct Params {
  height: u32,
  width: u32,
}

const RADIUS: i32 = 1;

@group(0) @binding(0) var<storage, read> map: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.width || id.y >= params.height) { return; }
  let size = vec2i(i32(params.width), i32(params.height));
  let low = max(vec2i(id.xy) - RADIUS, vec2i(0));
  let high = min(vec2i(id.xy) + RADIUS, size - 1);
  var best = map[id.y * params.width + id.x];
  for (var y = low.y; y <= high.y; y++) {
    for (var x = low.x; x <= high.x; x++) {
      best = max(best, map[u32(y * size.x + x)]);
    }
  }
  result[id.y * params.width + id.x] = best;
}
