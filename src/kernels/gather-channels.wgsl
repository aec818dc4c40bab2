// Picks channels: result[b, y, x, j] = Σ over SLOTS of image[b, sy, sx, channels[slot, j]], where (sy, sx) is the nearest
// pixel of an image of another size (the same pixel when sizes agree). A channel from `channels` on stands for zero.
// SLOTS = 1 gathers; the gradient needs more when a channel was picked several times. Thread (i, y, b) computes column j
// of PIXELS neighbouring pixels of output row y: what it reads of the table serves them all.

struct Params {
  height: u32,
  width: u32,
  channels: u32,
  outWidth: u32,
  picked: u32,        // columns written here
  outChannels: u32,   // columns of the output
  scaleY: f32,
  scaleX: f32,
}

@group(0) @binding(0) var<storage, read> image: array<f32>;
@group(0) @binding(1) var<storage, read> picks: array<u32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

const SLOTS: u32 = 1u;
const PIXELS: u32 = 4u;
// Columns are scattered to positions that stand behind the picks in the table.
const SCATTER: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let block = id.x / params.picked;
  let first = block * PIXELS;
  if (first >= params.outWidth) { return; }
  let column = id.x - block * params.picked;
  var position = column;
  if (SCATTER) { position = picks[SLOTS * params.picked + column]; }
  let sourceY = min(u32(f32(id.y) * params.scaleY), params.height - 1u);
  let line = (id.z * params.height + sourceY) * params.width;
  let target_line = (id.z * groups.y + id.y) * params.outWidth;
  var sums: array<f32, PIXELS>;
  for (var slot = 0u; slot < SLOTS; slot++) {
    let channel = picks[slot * params.picked + column];
    if (channel >= params.channels) { continue; }
    for (var i = 0u; i < PIXELS; i++) {
      let sourceX = min(u32(f32(first + i) * params.scaleX), params.width - 1u);
      sums[i] += image[(line + sourceX) * params.channels + channel];
    }
  }
  for (var i = 0u; i < PIXELS; i++) {
    if (first + i < params.outWidth) {
      result[(target_line + first + i) * params.outChannels + position] = sums[i];
    }
  }
}
