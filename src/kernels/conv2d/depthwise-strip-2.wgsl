// Depthwise 3 × 3 convolution, stride 2: every second line of input belongs to two output lines and is loaded once.

const WIDTH: u32 = 4u;
const REACH: u32 = 9u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let strip = strip_of(index);
  var weights = weights_of(strip);
  let shift = bias_of(strip.channel);
  var sums: array<vec4f, WIDTH>;
  // Even steps end one output line and begin the next, odd ones are the middle of a line.
  for (var step = 0u; step < 2u * params.strip + 1u; step++) {
    var values = line_of(strip, 2u * strip.y + step - params.padding_top, 2u * strip.x - params.padding_left);
    let ends = (step & 1u) == 0u;
    var next = array<vec4f, WIDTH>();
    for (var i = 0u; i < WIDTH; i++) { // unroll
      for (var tap = 0u; tap < 3u; tap++) { // unroll
        let factor = select(weights[3u + tap], weights[6u + tap], ends);
        sums[i] = fma(factor, values[2u * i + tap], sums[i]);
        next[i] = fma(weights[tap], values[2u * i + tap], next[i]);
      }
    }
    if (ends && step > 0u) { store_line(strip, strip.y + step / 2u - 1u, shift, sums); }
    if (ends) { sums = next; }
  }
}
