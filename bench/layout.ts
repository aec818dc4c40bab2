/** [n, h, w, c] to [n, c, h, w]. `shape` is that of the input. */
export function nhwcToNchw(data: Float32Array, shape: readonly number[]): Float32Array {
  const [batch = 1, height = 1, width = 1, channels = 1] = shape;
  return turn(data, batch, height * width, channels);
}

/** [n, c, h, w] to [n, h, w, c]. `shape` is that of the result. */
export function nchwToNhwc(data: Float32Array, shape: readonly number[]): Float32Array {
  const [batch = 1, height = 1, width = 1, channels = 1] = shape;
  return turn(data, batch, channels, height * width);
}

/** Transposes each of `batch` matrices of rows × columns. */
function turn(data: Float32Array, batch: number, rows: number, columns: number): Float32Array {
  const turned = new Float32Array(data.length);
  for (let matrix = 0; matrix < batch; matrix++) {
    const from = matrix * rows * columns;
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        turned[from + column * rows + row] = data[from + row * columns + column] ?? 0;
      }
    }
  }
  return turned;
}
