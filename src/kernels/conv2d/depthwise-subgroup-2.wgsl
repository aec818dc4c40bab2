// Stride 2: every second line of input belongs to two output lines.

struct Line {
  left: vec4f,
  centre: vec4f,
  right: vec4f,
}

// Columns of a lane's left and centre taps, and the one behind the last lane's.
struct Columns {
  left: Column,
  centre: Column,
  behind: Column,
}

// What the taps of a line see. The right one sees the next lane's left one, that of the last lane the column behind, which
// comes to it by way of the first lane.
fn line_of(source_line: u32, columns: Columns, inside: bool, lane: u32) -> Line {
  var line: Line;
  line.left = value_of(source_line, columns.left, inside);
  line.centre = value_of(source_line, columns.centre, inside);
  let behind = value_of(source_line, columns.behind, inside);
  line.right = subgroupShuffle(select(line.left, behind, lane == 0u), (lane + 1u) % SUBGROUP);
  return line;
}

@compute @workgroup_size(SUBGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let first = (group.x + group.y * groups.x) * params.share;
  for (var index = first; index < min(first + params.share, params.count); index++) {
    let strip = strip_of(index, params.out_height);
    var weights = weights_of(strip, lane);
    let shift = bias_of(strip.channel);
    let x = strip.x + lane;
    let first_x = 2u * x - params.padding_left;
    let first_y = 2u * strip.y - params.padding_top;
    var columns: Columns;
    columns.left = input_column(strip, first_x, true);
    columns.centre = input_column(strip, first_x + 1u, true);
    columns.behind = input_column(strip, first_x + 2u * SUBGROUP, lane == 0u);
    let target_column = output_column(strip, x);
    var sum = vec4f(0.0);
    var source_line = input_line(strip, first_y);
    var target_line = output_line(strip, strip.y);
    let in_height = params.in_height;
    let input_step = params.in_width * params.channels;
    let output_step = params.out_width * params.channels;
    let turns = strip.lines + 1u;
    // One turn ahead of the first output line, whose first line of input is the last of that turn.
    for (var turn = 0u; turn < turns; turn++) {
      if (turn > 0u) {
        let odd = line_of(source_line, columns, first_y + 2u * turn - 1u < in_height, lane);
        source_line += input_step;
        sum = fma(weights[3], odd.left, fma(weights[4], odd.centre, fma(weights[5], odd.right, sum)));
      }
      let even = line_of(source_line, columns, first_y + 2u * turn < in_height, lane);
      source_line += input_step;
      if (turn > 0u) {
        sum = fma(weights[6], even.left, fma(weights[7], even.centre, fma(weights[8], even.right, sum)));
        put(target_line, target_column, shift, sum);
        target_line += output_step;
      }
      sum = fma(weights[0], even.left, fma(weights[1], even.centre, weights[2] * even.right));
    }
  }
}
