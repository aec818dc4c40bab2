// Stores four neighbouring channels of a product with any number of channels, as many of them as there are.

@group(0) @binding(4) var<storage, read_write> result: array<f32>;

// The biases of a column's channels, for `store`.
fn shift_of(plane: u32, column: u32) -> vec4f {
  var shift = vec4f();
  for (var c = 0u; c < 4u; c++) { // unroll-memory
    let channel = 4u * column + c;
    if (channel < params.channels) { shift[c] = bias_of(plane * params.plane_channel + channel); }
  }
  return shift;
}

fn store(sum: vec4f, shift: vec4f, plane: u32, row: u32, column: u32) {
  if (row >= params.rows) { return; }
  for (var c = 0u; c < 4u; c++) { // unroll-memory
    let channel = 4u * column + c;
    if (channel < params.channels) {
      let index = plane * params.plane_result + row * params.result_stride + channel;
      result[index] = finish(sum[c], shift[c], index);
    }
  }
}
