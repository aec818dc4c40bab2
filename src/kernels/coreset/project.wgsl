// Sparse random projection of feature rows, written in the layout of k-centre.wgsl: blocks of 64 points, in each the
// vectors of four elements one after the other, of all 64 points: [blocks][vectors][64].
// A workgroup computes vector y of block x, a thread that of one point: four sums over the few features that each row of
// the projection takes with sign + or −. Neighbouring threads read the same features of neighbouring rows.

struct Params {
  points: u32,   // rows bound
  elements: u32, // features of a row
  vectors: u32,  // projected elements / 4
  scale: f32,
}

@group(0) @binding(0) var<storage, read> features: array<f32>; // [points][elements]
@group(0) @binding(1) var<storage, read> starts: array<u32>;   // first entry of each projected element, and the end
@group(0) @binding(2) var<storage, read> entries: array<u32>;  // feature · 2, + 1 for the sign −
@group(0) @binding(3) var<storage, read_write> projected: array<vec4f>;
@group(0) @binding(4) var<uniform> params: Params;

fn sum_of(element: u32, row: u32) -> f32 {
  var sum = 0.0;
  for (var i = starts[element]; i < starts[element + 1u]; i++) {
    let entry = entries[i];
    let value = features[row + (entry >> 1u)];
    sum += select(value, -value, (entry & 1u) != 0u);
  }
  return sum;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let point = group.x * 64u + lane;
  if (point >= params.points) { return; }
  let row = point * params.elements;
  let element = group.y * 4u;
  let value = vec4f(sum_of(element, row), sum_of(element + 1u, row), sum_of(element + 2u, row), sum_of(element + 3u, row));
  projected[(group.x * params.vectors + group.y) * 64u + lane] = params.scale * value;
}
