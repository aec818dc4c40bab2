// Elementwise arithmetic over f32 tensors.
// A thread computes ITEMS vectors of four elements that lie STEP apart; the last may reach into the padding of the buffer,
// which every buffer is rounded up to. On hardware neighbouring threads touch neighbouring vectors (STEP is the
// workgroup's size), and large tensors take 4 a thread, like the copy that the roof is measured with. On software adapters
// a thread costs more than what it does, and 4 neighbouring vectors a thread run 1.4 times faster than 4 apart.
// One text for all operations: OPERATION is a constant, so only one case is left in the compiled kernel. BROADCAST says
// how the right operand meets the left: element by element, as one number, or as one number a channel (whole vectors
// where the channels are a multiple of four).

struct Params {
  vectors: u32,   // elements / 4, rounded up
  channels: u32,  // of a channel broadcast; in vectors for BROADCAST 3 and 4
  a: f32,         // scalars of the operation, where it has them
  b: f32,
}

@group(0) @binding(0) var<storage, read> left: array<vec4f>;
@group(0) @binding(1) var<storage, read> right: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> result: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;

const OPERATION: u32 = 0u;
const BROADCAST: u32 = 0u;
const ITEMS: u32 = 1u;
const STEP: u32 = 64u;   // or 1

fn right_at(index: u32) -> vec4f {
  switch BROADCAST {
    case 1u: { return vec4f(right[0].x); }
    case 2u: {
      let c0 = (index * 4u) % params.channels;
      let c1 = select(c0 + 1u, 0u, c0 + 1u == params.channels);
      let c2 = select(c1 + 1u, 0u, c1 + 1u == params.channels);
      let c3 = select(c2 + 1u, 0u, c2 + 1u == params.channels);
      return vec4f(right[c0 / 4u][c0 % 4u], right[c1 / 4u][c1 % 4u], right[c2 / 4u][c2 % 4u], right[c3 / 4u][c3 % 4u]);
    }
    case 3u: { return right[index % params.channels]; }
    // A power of two: software adapters have no fast division.
    case 4u: { return right[index & (params.channels - 1u)]; }
    default: { return right[index]; }
  }
}

// 1 / (1 + e⁻ˣ); the clamp keeps e⁻ˣ finite.
fn logistic(x: vec4f) -> vec4f {
  return 1.0 / (1.0 + exp(-max(x, vec4f(-87.0))));
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
  let zero = vec4f(0.0);
  let x = left[index];
  let y = right_at(index);
  var value = zero;
  switch OPERATION {
    case 0u: { value = x + y; }
    case 1u: { value = x - y; }
    case 2u: { value = x * y; }
    case 3u: { value = x / y; }
    case 4u: { value = params.a * x + params.b; }
    case 5u: { value = max(x, zero); }
    case 6u: { value = clamp(x, zero, vec4f(6.0)); }
    // tanh is ±1 in f32 long before ±15, where implementations by exponentials still have finite terms.
    case 7u: { value = tanh(clamp(x, vec4f(-15.0), vec4f(15.0))); }
    case 8u: { value = exp(x); }
    case 9u: { value = log(x); }
    // log(1 + e^(a·x)) / a without overflow.
    case 10u: { value = (max(params.a * x, zero) + log(1.0 + exp(-abs(params.a * x)))) / params.a; }
    case 11u: { value = logistic(x); }
    case 12u: { value = sqrt(x); }
    case 13u: { value = x * x; }
    case 14u: { value = abs(x); }
    case 15u: { value = max(x, vec4f(params.a)); }
    // Gradients: y is the incoming gradient, x the operation's result (16–20) or its input (21–24).
    case 16u: { value = select(zero, y, x > zero); }
    case 17u: { value = select(zero, y, (x > zero) & (x < vec4f(6.0))); }
    case 18u: { value = y * (1.0 - x * x); }
    case 19u: { value = y * x * (1.0 - x); }
    case 20u: { value = 0.5 * y / x; }
    case 21u: { value = y * logistic(params.a * x); }
    case 22u: { value = 2.0 * x * y; }
    case 23u: { value = y * sign(x); }
    case 24u: { value = select(zero, y, x >= vec4f(params.a)); }
    default: {}
  }
  return value;
}
