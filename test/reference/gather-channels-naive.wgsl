// Embedding from two feature maps, naïvely: thread t computes element t of [batch, height · width, picked].
// Nearest sampling in whole numbers: floor(position · size / size of the result).

struct Params {
  count: u32,
  height: u32,
  width: u32,
  picked: u32,
  height0: u32,
  width0: u32,
  channels0: u32,
  height1: u32,
  width1: u32,
  channels1: u32,
}

@group(0) @binding(0) var<storage, read> first: array<f32>;
@group(0) @binding(1) var<storage, read> second: array<f32>;
@group(0) @binding(2) var<storage, read> picks: array<f32>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let pick = u32(picks[index % params.picked]);
  let x = index / params.picked % params.width;
  let y = index / params.picked / params.width % params.height;
  let b = index / params.picked / params.width / params.height;
  if (pick < params.channels0) {
    let sy = y * params.height0 / params.height;
    let sx = x * params.width0 / params.width;
    result[index] = first[((b * params.height0 + sy) * params.width0 + sx) * params.channels0 + pick];
  } else {
    let sy = y * params.height1 / params.height;
    let sx = x * params.width1 / params.width;
    result[index] = second[((b * params.height1 + sy) * params.width1 + sx) * params.channels1 + pick - params.channels0];
  }
}
