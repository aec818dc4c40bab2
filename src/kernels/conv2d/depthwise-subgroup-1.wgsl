// Stride 1: each line of input is added into the three output lines that see it.

@compute @workgroup_size(SUBGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let first = (group.x + group.y * groups.x) * params.share;
  for (var index = first; index < min(first + params.share, params.count); index++) {
    let strip = strip_of(index, params.out_height);
    var weights = weights_of(strip, lane);
    let shift = bias_of(strip.channel);
    let x = strip.x + lane;
    let first_y = strip.y - params.padding_top;
    let column = input_column(strip, x - params.padding_left, true);
    // Of the columns behind the last lane's only two are seen; they come to it by way of the first two lanes.
    let column_behind = input_column(strip, x - params.padding_left + SUBGROUP, lane < 2u);
    let target_column = output_column(strip, x);
    var upper = vec4f(0.0);  // has seen two lines
    var middle = vec4f(0.0); // has seen one
    var source_line = input_line(strip, first_y);
    var target_line = output_line(strip, strip.y);
    let in_height = params.in_height;
    let input_step = params.in_width * params.channels;
    let output_step = params.out_width * params.channels;
    let lines = strip.lines + 2u;
    let next = (lane + 1u) % SUBGROUP;
    let after_next = (lane + 2u) % SUBGROUP;
    for (var line = 0u; line < lines; line++) {
      let inside = first_y + line < in_height;
      let left = value_of(source_line, column, inside);
      let behind = value_of(source_line, column_behind, inside);
      source_line += input_step;
      let centre = subgroupShuffle(select(left, behind, lane < 1u), next);
      let right = subgroupShuffle(select(left, behind, lane < 2u), after_next);
      let output = fma(weights[6], left, fma(weights[7], centre, fma(weights[8], right, upper)));
      upper = fma(weights[3], left, fma(weights[4], centre, fma(weights[5], right, middle)));
      middle = fma(weights[0], left, fma(weights[1], centre, weights[2] * right));
      if (line >= 2u) {
        put(target_line, target_column, shift, output);
        target_line += output_step;
      }
    }
  }
}
