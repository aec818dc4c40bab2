// Bilinear enlarging over NHWC by subgroups, joined with subgroup-strips.wgsl and resize2d-slide-channels.wgsl or
// resize2d-slide-map.wgsl.
// Against resize2d-rows.wgsl: a lane slides down a long strip of one output column, so every input line is interpolated
// along the width once; and the text is short, which is what software adapters like. The choice on lavapipe.
// What lies outside the image equals its outermost pixels.

struct Params {
  count: u32,         // strips
  share: u32,         // of them a workgroup computes
  strips_x: u32,
  strips_y: u32,
  lines: u32,         // output rows of a strip
  height: u32,
  width: u32,
  channels: u32,      // in Values
  outHeight: u32,
  outWidth: u32,      // in Values of one channel
  scaleY: f32,        // input pixels an output pixel
  scaleX: f32,
  originY: f32,       // where output 0 falls
  originX: f32,
}

alias Value = vec4f;
alias Pixel = vec4f;

@group(0) @binding(0) var<storage, read> image: array<Pixel>;
@group(0) @binding(1) var<storage, read_write> result: array<Value>;
@group(0) @binding(2) var<uniform> params: Params;

const SUBGROUP: u32 = 8u;

fn position_down(y: f32) -> f32 {
  return max(y * params.scaleY + params.originY, 0.0);
}

@compute @workgroup_size(SUBGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let first = (group.x + group.y * groups.x) * params.share;
  for (var index = first; index < min(first + params.share, params.count); index++) {
    let strip = strip_of(index, params.outHeight);
    let x = strip.x + lane;
    var across = across_of(strip.x, lane, strip.channel);
    let lineLength = params.width * params.channels;
    let imageStart = strip.image * params.height * lineLength;
    let outLength = params.outWidth * params.channels;
    var at = (strip.image * params.outHeight + strip.y) * outLength + x * params.channels + strip.channel;
    let last = i32(params.height) - 1;
    let end = f32(strip.y + strip.lines);
    var y = f32(strip.y); // counted in floats: converting costs more than the interpolation
    var position = position_down(y);
    var lower = Value(0.0); // an input line, interpolated along the width
    // One turn ahead of the first row, to have both lines that it lies between.
    for (var line = min(i32(position), last) - 1; y < end; line++) {
      let upper = lower;
      lower = line_of(&across, imageStart + u32(min(line + 1, last)) * lineLength);
      // The rows between these two lines, and behind the last one all that are left.
      let behind = select(f32(line + 1), 1e9, line == last);
      while (y < end && position < behind) {
        let weight = min(position - f32(line), 1.0);
        if (x < params.outWidth) { result[at] = upper * (1.0 - weight) + lower * weight; }
        at += outLength;
        y += 1.0;
        position = position_down(y);
      }
    }
  }
}
