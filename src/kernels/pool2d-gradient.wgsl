// Gradient of pooling with respect to its input, without atomics: thread (i, y, b) computes Value i of input row y of
// image b, by going through the windows that hold this pixel. Of a max window the gradient goes to the first greatest
// pixel in row-major order (as in PyTorch), which is found again from the image. Of an average window every pixel gets
// its share; `image` is not read then.

struct Params {
  height: u32,
  width: u32,
  channels: u32,      // in Values
  outHeight: u32,
  outWidth: u32,
  stride: i32,
  top: i32,           // padding
  left: i32,
  bottomEnd: i32,     // height and width with the padding behind: windows are counted up to here
  rightEnd: i32,
}

alias Value = f32;
alias Mask = bool;

@group(0) @binding(0) var<storage, read> image: array<Value>;
@group(0) @binding(1) var<storage, read> outGradient: array<Value>;
@group(0) @binding(2) var<storage, read_write> result: array<Value>;
@group(0) @binding(3) var<uniform> params: Params;

const KERNEL: i32 = 2;
const AVERAGE: bool = false;
const COUNT_PADDING: bool = true;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let rowLength = params.width * params.channels;
  if (id.x >= rowLength) { return; }
  let height = i32(params.height);
  let width = i32(params.width);
  let x = i32(id.x / params.channels);
  let y = i32(id.y);
  let channel = id.x % params.channels;
  let base = id.z * params.height;
  let own = ((base + id.y) * params.width + u32(x)) * params.channels + channel;

  // Windows o with o·stride − padding ≤ position < o·stride − padding + KERNEL.
  let firstOutRow = max(0, y + params.top - KERNEL + params.stride) / params.stride;
  let endOutRow = min((y + params.top) / params.stride + 1, i32(params.outHeight));
  let firstOutColumn = max(0, x + params.left - KERNEL + params.stride) / params.stride;
  let endOutColumn = min((x + params.left) / params.stride + 1, i32(params.outWidth));

  var sum = Value(0.0);
  for (var outRow = firstOutRow; outRow < endOutRow; outRow++) {
    let firstRow = outRow * params.stride - params.top;
    for (var outColumn = firstOutColumn; outColumn < endOutColumn; outColumn++) {
      let firstColumn = outColumn * params.stride - params.left;
      let at = ((id.z * params.outHeight + u32(outRow)) * params.outWidth + u32(outColumn)) * params.channels + channel;
      let gradient = outGradient[at];
      let rowStart = max(firstRow, 0);
      let rowEnd = min(firstRow + KERNEL, height);
      let columnStart = max(firstColumn, 0);
      let columnEnd = min(firstColumn + KERNEL, width);
      if (AVERAGE) {
        var rows = min(firstRow + KERNEL, params.bottomEnd) - firstRow;
        var columns = min(firstColumn + KERNEL, params.rightEnd) - firstColumn;
        if (!COUNT_PADDING) {
          rows = rowEnd - rowStart;
          columns = columnEnd - columnStart;
        }
        sum += gradient / f32(rows * columns);
      } else {
        let value = image[own];
        var first = Mask(true);
        for (var row = rowStart; row < rowEnd; row++) {
          for (var column = columnStart; column < columnEnd; column++) {
            let other = image[((base + u32(row)) * params.width + u32(column)) * params.channels + channel];
            if (row < y || (row == y && column < x)) {
              first = first & (other < value);
            } else {
              first = first & (other <= value);
            }
          }
        }
        sum += select(Value(0.0), gradient, first);
      }
    }
  }
  result[own] = sum;
}
