// 8-bit pixels to a network's input: result = pixel * scale + shift, scale and shift by channel (of three).
// A thread computes ITEMS vectors of the result that lie STEP apart, as in elementwise.wgsl: neighbouring ones on software
// adapters, where a thread costs more than what it does, a workgroup's size apart on hardware. Vector t holds elements
// 4t … 4t+3: pixels are packed without gaps, so they are the four bytes of word t, and the channel of element e is e mod 3.
// With REVERSE (BGR) element e comes from byte e + 2 − 2·(e mod 3), which may lie in the word before or behind.

struct Params {
  vectors: u32,   // elements / 4, rounded up
  scale0: f32,
  scale1: f32,
  scale2: f32,
  shift0: f32,
  shift1: f32,
  shift2: f32,
}

@group(0) @binding(0) var<storage, read> pixels: array<u32>;
@group(0) @binding(1) var<storage, read_write> result: array<vec4f>;
@group(0) @binding(2) var<uniform> params: Params;

const REVERSE: bool = false;
const ITEMS: u32 = 1u;
const STEP: u32 = 64u;   // or 1

fn bytes(word: u32) -> vec4u {
  return (vec4u(word) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(255u);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = (group.x + group.y * groups.x) * 64u * ITEMS + lane * select(1u, ITEMS, STEP == 1u);
  for (var item = 0u; item < ITEMS; item++) {
    let index = first + item * STEP;
    if (index < params.vectors) { result[index] = compute(index); }
  }
}

fn compute(index: u32) -> vec4f {
  // 4t mod 3 = t mod 3: the channel of the first element.
  let phase = index % 3u;
  var scale = vec4f(params.scale0, params.scale1, params.scale2, params.scale0);
  var shift = vec4f(params.shift0, params.shift1, params.shift2, params.shift0);
  if (phase == 1u) {
    scale = vec4f(params.scale1, params.scale2, params.scale0, params.scale1);
    shift = vec4f(params.shift1, params.shift2, params.shift0, params.shift1);
  } else if (phase == 2u) {
    scale = vec4f(params.scale2, params.scale0, params.scale1, params.scale2);
    shift = vec4f(params.shift2, params.shift0, params.shift1, params.shift2);
  }
  var value = bytes(pixels[index]);
  if (REVERSE) {
    // Reads past either end are only for elements that do not exist.
    let before = bytes(pixels[max(index, 1u) - 1u]);
    let after = bytes(pixels[min(index + 1u, params.vectors - 1u)]);
    if (phase == 0u) {
      value = vec4u(value.z, value.y, value.x, after.y);
    } else if (phase == 1u) {
      value = vec4u(value.x, before.w, after.x, value.w);
    } else {
      value = vec4u(before.z, value.w, value.z, value.y);
    }
  }
  return vec4f(value) * scale + shift;
}
