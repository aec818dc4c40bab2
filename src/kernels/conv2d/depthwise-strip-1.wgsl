// Depthwise 3 × 3 convolution, stride 1: each line of input is loaded once and added into the three output lines that
// see it, which rotate through three sets of sums. A thread loads 6 values a line for 4 outputs instead of 36.

const WIDTH: u32 = 4u;
const REACH: u32 = 6u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let strip = strip_of(index);
  var weights = weights_of(strip);
  let shift = bias_of(strip.channel);
  var upper: array<vec4f, WIDTH>;  // has seen two lines
  var middle: array<vec4f, WIDTH>; // has seen one
  for (var step = 0u; step < params.strip + 2u; step++) {
    var values = line_of(strip, strip.y + step - params.padding_top, strip.x - params.padding_left);
    var lower = array<vec4f, WIDTH>();
    for (var i = 0u; i < WIDTH; i++) { // unroll
      for (var tap = 0u; tap < 3u; tap++) { // unroll
        upper[i] = fma(weights[6u + tap], values[i + tap], upper[i]);
        middle[i] = fma(weights[3u + tap], values[i + tap], middle[i]);
        lower[i] = fma(weights[tap], values[i + tap], lower[i]);
      }
    }
    if (step >= 2u) { store_line(strip, strip.y + step - 2u, shift, upper); }
    upper = middle;
    middle = lower;
  }
}
