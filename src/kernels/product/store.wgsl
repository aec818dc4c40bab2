// Stores four neighbouring channels of a product whose channels are a multiple of four.

@group(0) @binding(4) var<storage, read_write> result: array<vec4f>;

fn store(sum: vec4f, plane: u32, row: u32, column: u32) {
  if (row >= params.rows || column >= params.columns) { return; }
  let index = plane * params.plane_result + row * params.result_stride + column;
  result[index] = finish(sum, plane * params.plane_channel + column, index);
}
