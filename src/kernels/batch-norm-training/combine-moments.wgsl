// Joins the moments of slices, in order, by the pairwise update of Chan, Golub and LeVeque: moments[0] is the mean of a
// channel, moments[1] its variance (divided by the number of rows).
// Thread t computes channel Value t.

struct Params {
  rows: u32,
  slice_rows: u32,
  slices: u32,
  channels: u32,    // in Values
}

alias Value = f32;

@group(0) @binding(0) var<storage, read> partials: array<Value>;
@group(0) @binding(1) var<storage, read_write> moments: array<Value>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let channel = id.x;
  if (channel >= params.channels) { return; }
  var mean = Value(0.0);
  var squares = Value(0.0);
  var seen = 0.0;
  for (var slice = 0u; slice < params.slices; slice++) {
    let count = f32(min(params.rows, (slice + 1u) * params.slice_rows) - slice * params.slice_rows);
    let distance = partials[2u * slice * params.channels + channel] - mean;
    let share = count / (seen + count);
    mean += distance * share;
    squares += partials[(2u * slice + 1u) * params.channels + channel] + distance * distance * (seen * share);
    seen += count;
  }
  moments[channel] = mean;
  moments[params.channels + channel] = squares / f32(params.rows);
}
