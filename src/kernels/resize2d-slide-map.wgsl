// Along the width of a map of one channel, a Value being four neighbouring pixels: they lie between REACH input columns, each
// of which weighs 1 less its distance, at least 0.

const REACH: u32 = 3u; // ⌊3 · scaleX⌋ + 3

struct Across {
  offsets: array<u32, REACH>,
  weights: array<vec4f, REACH>,
}

fn across_of(firstX: u32, lane: u32, channel: u32) -> Across {
  let x = f32(4u * (firstX + lane)) * params.scaleX + params.originX;
  let left = floor(x);
  let columns = x - left + params.scaleX * vec4f(0.0, 1.0, 2.0, 3.0);
  var across: Across;
  for (var i = 0u; i < REACH; i++) { // unroll
    across.offsets[i] = u32(clamp(i32(left) + i32(i), 0, i32(params.width) - 1));
    across.weights[i] = max(vec4f(0.0), 1.0 - abs(columns - f32(i)));
  }
  return across;
}

fn line_of(across: ptr<function, Across>, line: u32) -> Value {
  var sum = Value(0.0);
  for (var i = 0u; i < REACH; i++) { // unroll
    sum += across.weights[i] * image[line + across.offsets[i]];
  }
  return sum;
}
