// Vertical pass of a separable Gaussian blur with reflected borders over maps of one channel, stored transposed:
// [batch, height, width] becomes [batch, width, height]. Run twice it blurs both axes and gives the first order again.
// Against gaussian-blur-transposed.wgsl: a thread walks down a strip of a column and keeps what the next outputs see in
// registers, so that every input is loaded (strip + taps) / strip times instead of five; all loops over taps are written
// out and the weights are constants of the text. On software adapters, where a load costs as much as 30 multiply-adds,
// this halves the time. What is left for 33 taps, in nanoseconds for 8 lanes and an element of a pass: load 15, store 11,
// multiply-adds 18 (0.55 each at the roof), beside 27 for a copy. Both passes in one kernel, were all between them free, would
// be 15 + 11 + 36: less than half of a copy's rate, and the window of a strip's rows leaves the registers.
// Thread (x, s, b) computes rows strip · s … of column x of map b. Height and width are multiples of four.
// Wants radius < height: one reflection is enough.

struct Params {
  height: i32,
  width: u32,
  radius: i32,
  strip: i32,      // rows of a strip, a multiple of four
}

@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<vec4f>;
@group(0) @binding(2) var<uniform> params: Params;

const TAPS: u32 = 33u;
// Rows of a step, a multiple of four: the window moves once for all of them.
const ROWS: u32 = 8u;
// Loaded in front of a strip: the taps that its first output sees, in whole steps.
const LEAD: u32 = 32u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.width) { return; }
  let last = params.height - 1;
  let line = id.z * u32(params.height) * params.width + id.x;
  let target_line = (id.z * params.width + id.x) * (u32(params.height) / 4u);
  let first = i32(id.y) * params.strip;
  let end = min(first + params.strip, params.height);
  var window: array<f32, TAPS + ROWS - 1u>;   // what rows y … y + ROWS − 1 see
  for (var y = first - i32(LEAD); y < end; y += i32(ROWS)) {
    for (var i = 0u; i < TAPS - 1u; i++) { // unroll
      window[i] = window[i + ROWS];
    }
    for (var i = 0u; i < ROWS; i++) { // unroll
      let position = y + params.radius + i32(i);
      // Outside by more than one reflection are only rows that are not stored.
      let inside = max(last - abs(last - abs(position)), 0);
      window[TAPS - 1u + i] = source[line + u32(inside) * params.width];
    }
    for (var four = 0u; four < ROWS / 4u; four++) { // unroll
      if (y >= first && y + i32(4u * four) < end) {
        var sums = vec4f(0.0);
        for (var tap = 0u; tap < TAPS; tap++) { // unroll
          sums = fma(
            vec4f(WEIGHTS[tap]),
            vec4f(
              window[4u * four + tap],
              window[4u * four + tap + 1u],
              window[4u * four + tap + 2u],
              window[4u * four + tap + 3u],
            ),
            sums,
          );
        }
        result[target_line + u32(y) / 4u + four] = sums;
      }
    }
  }
}
