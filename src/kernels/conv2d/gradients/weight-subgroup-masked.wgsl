// Gradient of a convolution with respect to its weights for any number of input channels, as in weight-subgroup.wgsl but
// with a row for each (tap in x, input channel) of one kernel line: those lie behind each other in the image, so that
// few channels (a stem's three) still fill the rows. A lane's inputs may fall outside the image on their own, so each
// load is masked.
// For adapters with a fixed subgroup size and output channels that are a multiple of four.

struct Params {
  in_height: u32, in_width: u32, in_channels: u32,
  out_height: u32, out_width: u32, out_channels: u32,
  kernel_width: u32,
  stride_y: u32, stride_x: u32,
  padding_top: u32, padding_left: u32,
  rows: u32,                // kernel height · kernel width · input channels
  image_rows: u32,          // batch · out_height
  slice_rows: u32,          // image rows of a slice
}

@group(0) @binding(0) var<storage, read> input: array<f32>;          // [n, in_height, in_width, in_channels]
@group(0) @binding(1) var<storage, read> gradient: array<vec4f>;     // [n, out_height, out_width, out_channels]
@group(0) @binding(2) var<storage, read_write> result: array<vec4f>; // [slices, rows, out_channels]
@group(0) @binding(3) var<uniform> params: Params;

const SUBGROUP: u32 = 8u;
const ROWS: u32 = 16u;
const SHARE: u32 = ROWS / SUBGROUP;

@compute @workgroup_size(SUBGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let line = params.kernel_width * params.in_channels;
  let row_blocks = (line + ROWS - 1u) / ROWS;
  let kernel_height = params.rows / line;
  let block = group.x % (row_blocks * kernel_height);
  let kernel_y = block / row_blocks;
  let first = block % row_blocks * ROWS;
  let column = group.x / (row_blocks * kernel_height) * SUBGROUP + lane;
  let columns = params.out_channels / 4u;

  // Tap of each of the lane's rows; a row behind the line gets one that is outside every image.
  var tap: array<u32, SHARE>;
  for (var i = 0u; i < SHARE; i++) {
    let row = first + lane * SHARE + i;
    tap[i] = select(0x40000000u, row / params.in_channels, row < line);
  }

  var sum: array<vec4f, ROWS>;
  for (var i = 0u; i < ROWS; i++) { sum[i] = vec4f(0.0); }
  let last_row = min(params.image_rows, (group.y + 1u) * params.slice_rows);
  for (var image_row = group.y * params.slice_rows; image_row < last_row; image_row++) {
    // Above the image this wraps to a huge number, so one comparison tests both edges.
    let in_y = image_row % params.out_height * params.stride_y + kernel_y - params.padding_top;
    if (in_y >= params.in_height) { continue; }
    let in_row = (image_row / params.out_height * params.in_height + in_y) * params.in_width;
    var at_gradient = image_row * params.out_width * columns + min(column, columns - 1u);
    for (var x = 0u; x < params.out_width; x++) {
      let in_x = x * params.stride_x - params.padding_left;
      let base = (in_row + in_x) * params.in_channels + first + lane * SHARE;
      var values: array<f32, SHARE>;
      for (var i = 0u; i < SHARE; i++) {
        let inside = in_x + tap[i] < params.in_width;
        values[i] = select(0.0, input[select(0u, base + i, inside)], inside);
      }
      let weight = gradient[at_gradient];
      at_gradient += columns;
      for (var i = 0u; i < ROWS; i++) {
        sum[i] = fma(vec4f(subgroupShuffle(values[i % SHARE], i / SHARE)), weight, sum[i]);
      }
    }
  }
  if (column >= columns) { return; }
  for (var i = 0u; i < ROWS; i++) {
    if (first + i < line) {
      result[(group.y * params.rows + kernel_y * line + first + i) * columns + column] = sum[i];
    }
  }
}
