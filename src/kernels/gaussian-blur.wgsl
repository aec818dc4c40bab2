// One axis of a separable Gaussian blur with reflected borders: the tensor is outer × length × inner.
// The plainest variant: thread t computes one element, with one load of the image and one of the weights a tap.

struct Params {
  count: u32,       // elements
  length: i32,
  inner: u32,
  radius: i32,
}

@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

// Reflection about the outermost pixels, repeated for sides shorter than the radius: … 2 1 | 0 1 2 3 | 2 1 0 1 …
fn mirrored(position: i32) -> u32 {
  let period = max(2 * (params.length - 1), 1);
  let folded = ((position % period) + period) % period;
  return u32(min(folded, period - folded)) % u32(params.length);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let at = index % params.inner;
  let line = index / params.inner;
  let position = i32(line % u32(params.length));
  let outer = line / u32(params.length);
  var sum = 0.0;
  for (var tap = -params.radius; tap <= params.radius; tap++) {
    let neighbour = (outer * u32(params.length) + mirrored(position + tap)) * params.inner + at;
    sum += weights[tap + params.radius] * source[neighbour];
  }
  result[index] = sum;
}
