// Along the width, channels in Values: the input columns that a subgroup's output columns lie between are no more than it
// has lanes. Each lane loads one and gets the two that it needs by shuffles.

const REACH: u32 = 4u; // input columns that SUBGROUP output columns see: ⌊(SUBGROUP − 1) · scaleX⌋ + 3

struct Across {
  offset: u32, // of the lane's own input column in its line
  low: u32,    // lanes that have the columns on both sides
  high: u32,
  weight: f32, // of the second
}

fn position_of(x: u32) -> f32 {
  return max(f32(x) * params.scaleX + params.originX, 0.0);
}

fn across_of(firstX: u32, lane: u32, channel: u32) -> Across {
  let last = params.width - 1u;
  let start = min(u32(position_of(firstX)), last);
  let position = position_of(firstX + lane);
  let left = min(u32(position), last);
  var across: Across;
  across.offset = min(start + min(lane, REACH - 1u), last) * params.channels + channel;
  across.low = min(left - start, REACH - 1u);
  across.high = min(min(left + 1u, last) - start, REACH - 1u);
  across.weight = min(position - f32(left), 1.0);
  return across;
}

fn line_of(across: ptr<function, Across>, line: u32) -> Value {
  let own = image[line + across.offset];
  return subgroupShuffle(own, across.low) * (1.0 - across.weight) + subgroupShuffle(own, across.high) * across.weight;
}
