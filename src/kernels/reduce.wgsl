// One level of a reduction tree: each workgroup folds ITEMS · 64 Values of one image (or of all) into one.
// Lane l of a group takes Values l, l + 64, l + 128, … of the group's share, then the lanes are folded pairwise, so the
// order is fixed and results are the same on every run. Workgroup (g, image) writes partial g of the image.
// The first level of large inputs works on vectors of four, which it folds component by component: to the next level,
// which works on single elements, its partials are four times as many.

struct Params {
  length: u32,        // Values of one image at this level
  partials: u32,      // results of one image at this level
  identity: u32,      // bits of the value that changes nothing
  scale: f32,         // multiplies the results (1/n in the last level of a mean)
}

alias Value = f32;
alias Bits = u32;

@group(0) @binding(0) var<storage, read> source: array<Value>;
@group(0) @binding(1) var<storage, read_write> result: array<Value>;
@group(0) @binding(2) var<uniform> params: Params;

const ITEMS: u32 = 32u;
const MAXIMUM: bool = false;
// The first level of countNonFinite: elements become 1 where their bits are those of an infinity or NaN.
const COUNT: bool = false;

var<workgroup> lanes: array<Value, 64>;

fn fold(a: Value, b: Value) -> Value {
  if (MAXIMUM) { return max(a, b); }
  return a + b;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let partial = group.x + group.y * groups.x;
  var value = Value(bitcast<f32>(params.identity));
  if (partial < params.partials) {
    let base = group.z * params.length;
    let first = partial * ITEMS * 64u + lane;
    for (var item = 0u; item < ITEMS; item++) {
      let at = first + item * 64u;
      if (at >= params.length) { break; }
      let element = source[base + at];
      if (COUNT) {
        let exponent = bitcast<Bits>(element) & Bits(0x7f800000u);
        value += select(Value(0.0), Value(1.0), exponent == Bits(0x7f800000u));
      } else {
        value = fold(value, element);
      }
    }
  }
  lanes[lane] = value;
  for (var half = 32u; half > 0u; half >>= 1u) {
    workgroupBarrier();
    if (lane < half) { lanes[lane] = fold(lanes[lane], lanes[lane + half]); }
  }
  if (lane == 0u && partial < params.partials) {
    result[group.z * params.partials + partial] = lanes[0] * params.scale;
  }
}
