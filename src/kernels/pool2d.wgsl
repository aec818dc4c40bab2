// Max and average pooling over NHWC.
// Thread (i, y, b) computes Value i of output row y of image b; i runs over width × channels, channels innermost.
// Coordinates outside the image are clamped for max: the nearest pixel inside belongs to the same window (the padding is
// smaller than the kernel), so nothing changes and there is no branch. For average they weigh nothing.

struct Params {
  height: u32,
  width: u32,
  channels: u32,      // in Values
  outWidth: u32,
  stride: u32,
  top: i32,           // padding
  left: i32,
  bottomEnd: i32,     // height and width with the padding behind: windows are counted up to here
  rightEnd: i32,
}

alias Value = f32;

@group(0) @binding(0) var<storage, read> image: array<Value>;
@group(0) @binding(1) var<storage, read_write> result: array<Value>;
@group(0) @binding(2) var<uniform> params: Params;

const KERNEL: i32 = 2;
const AVERAGE: bool = false;
const COUNT_PADDING: bool = true;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let rowLength = params.outWidth * params.channels;
  if (id.x >= rowLength) { return; }
  let x = id.x / params.channels;
  let channel = id.x - x * params.channels;
  let firstRow = i32(id.y * params.stride) - params.top;
  let firstColumn = i32(x * params.stride) - params.left;
  let lastRow = i32(params.height) - 1;
  let lastColumn = i32(params.width) - 1;
  let base = id.z * params.height;

  var value = Value(0.0);
  if (AVERAGE) {
    for (var j = 0; j < KERNEL; j++) {
      let row = firstRow + j;
      if (row < 0 || row > lastRow) { continue; }
      for (var i = 0; i < KERNEL; i++) {
        let column = firstColumn + i;
        if (column < 0 || column > lastColumn) { continue; }
        value += image[((base + u32(row)) * params.width + u32(column)) * params.channels + channel];
      }
    }
    var rows = min(firstRow + KERNEL, params.bottomEnd) - firstRow;
    var columns = min(firstColumn + KERNEL, params.rightEnd) - firstColumn;
    if (!COUNT_PADDING) {
      rows = min(firstRow + KERNEL, lastRow + 1) - max(firstRow, 0);
      columns = min(firstColumn + KERNEL, lastColumn + 1) - max(firstColumn, 0);
    }
    value = value / f32(rows * columns);
  } else {
    let row = u32(clamp(firstRow, 0, lastRow));
    let column = u32(clamp(firstColumn, 0, lastColumn));
    value = image[((base + row) * params.width + column) * params.channels + channel];
    for (var j = 0; j < KERNEL; j++) {
      let row = u32(clamp(firstRow + j, 0, lastRow));
      for (var i = 0; i < KERNEL; i++) {
        let column = u32(clamp(firstColumn + i, 0, lastColumn));
        value = max(value, image[((base + row) * params.width + column) * params.channels + channel]);
      }
    }
  }
  result[(id.z * groups.y + id.y) * rowLength + id.x] = value;
}
