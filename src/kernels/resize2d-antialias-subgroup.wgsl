// Shrinking by whole factors with antialiasing, over NHWC, by subgroups.
// Against resize2d-antialias.wgsl: the lanes of a subgroup have neighbouring output columns. A window is twice the factor
// long, so its second half is what the next lane has loaded: each lane adds its own columns up with both halves' weights, and
// one shuffle joins them. Only the columns behind the last lane's are loaded beside one's own, by the first lane.
// The choice on lavapipe. Joined with subgroup-strips.wgsl.

struct Params {
  count: u32,       // strips
  share: u32,       // of them a workgroup computes
  strips_x: u32,
  strips_y: u32,
  lines: u32,       // output rows of a strip
  height: u32,
  width: u32,
  channels: u32,    // in Values
  outHeight: u32,
  outWidth: u32,
}

alias Value = f32;

@group(0) @binding(0) var<storage, read> image: array<Value>;
@group(0) @binding(1) var<storage, read_write> result: array<Value>;
@group(0) @binding(2) var<uniform> params: Params;

const SUBGROUP: u32 = 8u;
const FACTOR_Y: u32 = 2u;
const FACTOR_X: u32 = 2u;
const ABOVE: i32 = 1;        // lines of the first window before line 0
const BEFORE: i32 = 1;       // likewise columns

struct Column {
  offset: u32, // in its line
  inside: bool,
}

fn column_of(x: i32, channel: u32) -> Column {
  return Column(u32(x) * params.channels + channel, x >= 0 && x < i32(params.width));
}

fn value_of(line: u32, column: Column, wanted: bool) -> Value {
  var value = Value(0.0);
  if (wanted && column.inside) { value = image[line + column.offset]; }
  return value;
}

@compute @workgroup_size(SUBGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let first = (group.x + group.y * groups.x) * params.share;
  for (var index = first; index < min(first + params.share, params.count); index++) {
    let strip = strip_of(index, params.outHeight);
    let x = strip.x + lane;
    let height = i32(params.height);
    let lineLength = params.width * params.channels;
    let outLength = params.outWidth * params.channels;
    let next = (lane + 1u) % SUBGROUP;
    var own: array<Column, FACTOR_X>;
    var behind: array<Column, FACTOR_X>;
    var total = 0.0; // of the weights along the width of what lies inside
    for (var i = 0u; i < FACTOR_X; i++) { // unroll
      let column = i32(x * FACTOR_X + i) - BEFORE;
      own[i] = column_of(column, strip.channel);
      behind[i] = column_of(column + i32(SUBGROUP * FACTOR_X), strip.channel);
      let second = column_of(column + i32(FACTOR_X), strip.channel);
      total += select(0.0, WEIGHTS_X[i], own[i].inside) + select(0.0, WEIGHTS_X[FACTOR_X + i], second.inside);
    }
    var sum = Value(0.0);
    var weight = 0.0;
    var row = i32(strip.y * FACTOR_Y) - ABOVE;
    var line = strip.image * params.height * lineLength + u32(row) * lineLength;
    var at = (strip.image * params.outHeight + strip.y) * outLength + x * params.channels + strip.channel;
    // The lines of a turn end the window of one output row and begin that of the next.
    for (var turn = 0u; turn <= strip.lines; turn++) {
      var beginning = Value(0.0);
      var beginningWeight = 0.0;
      for (var step = 0u; step < FACTOR_Y; step++) { // unroll
        let inside = row >= 0 && row < height;
        var near = Value(0.0);
        var far = Value(0.0);
        var farBehind = Value(0.0);
        for (var i = 0u; i < FACTOR_X; i++) { // unroll
          let value = value_of(line, own[i], inside);
          near += WEIGHTS_X[i] * value;
          far += WEIGHTS_X[FACTOR_X + i] * value;
          farBehind += WEIGHTS_X[FACTOR_X + i] * value_of(line, behind[i], inside && lane == 0u);
        }
        let value = near + subgroupShuffle(select(far, farBehind, lane == 0u), next);
        let lineWeight = select(0.0, 1.0, inside);
        sum += WEIGHTS_Y[FACTOR_Y + step] * value;
        weight += WEIGHTS_Y[FACTOR_Y + step] * lineWeight;
        beginning += WEIGHTS_Y[step] * value;
        beginningWeight += WEIGHTS_Y[step] * lineWeight;
        row += 1;
        line += lineLength;
      }
      if (turn > 0u) {
        if (x < params.outWidth) { result[at] = sum * (1.0 / (weight * total)); }
        at += outLength;
      }
      sum = beginning;
      weight = beginningWeight;
    }
  }
}
