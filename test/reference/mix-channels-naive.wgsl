// Scale, shift and permutation of channels and their gradients, naïvely, on joined channels.
// part 0 result, 1 gradient of the input: thread t computes element t; 2 gradient of the scale, 3 of the shift: thread t
// goes through all rows of channel t.

struct Params {
  count: u32,
  part: u32,
  rows: u32,
  channels: u32,
}

@group(0) @binding(0) var<storage, read> input: array<f32>;
@group(0) @binding(1) var<storage, read> gradient: array<f32>;
@group(0) @binding(2) var<storage, read> scale: array<f32>;
@group(0) @binding(3) var<storage, read> shift: array<f32>;
@group(0) @binding(4) var<storage, read> order: array<f32>; // input channel of each output channel
@group(0) @binding(5) var<storage, read_write> result: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

fn place_of(channel: u32) -> u32 {
  for (var place = 0u; place < params.channels; place++) {
    if (u32(order[place]) == channel) { return place; }
  }
  return 0u;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let row = index / params.channels;
  let channel = index % params.channels;
  if (params.part == 0u) {
    let origin = u32(order[channel]);
    result[index] = input[row * params.channels + origin] * scale[origin] + shift[origin];
  } else if (params.part == 1u) {
    result[index] = gradient[row * params.channels + place_of(channel)] * scale[channel];
  } else {
    var sum = 0.0;
    for (var each = 0u; each < params.rows; each++) {
      let flowing = gradient[each * params.channels + place_of(index)];
      sum += flowing * select(1.0, input[each * params.channels + index], params.part == 2u);
    }
    result[index] = sum;
  }
}
