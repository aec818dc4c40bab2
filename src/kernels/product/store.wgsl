// Stores four neighbouring channels of a product whose channels are a multiple of four.

@group(0) @binding(4) var<storage, read_write> result: array<vec4f>;

// The bias of a column, for `store`.
fn shift_of(plane: u32, column: u32) -> vec4f {
  return bias_of(plane * params.plane_channel + column);
}

fn store(sum: vec4f, shift: vec4f, plane: u32, row: u32, column: u32) {
  if (row >= params.rows || column >= params.columns) { return; }
  let index = plane * params.plane_result + row * params.result_stride + column;
  result[index] = finish(sum, shift, index);
}
