import type { HostTensor } from '../../src/engine/tensor.js';
import type { MatmulShape } from '../../src/kernels/matmul/matmul.js';
import type { Reference } from '../kernels/harness.js';

/** Matrix product in f64 over f32 inputs, with bounds 2 · K · 2⁻²⁴ · Σ|ab|. */
export function referenceMatmul(shape: MatmulShape, a: HostTensor, b: HostTensor): Reference {
  const { batch, rows, columns, inner, transposeA, transposeB } = shape;
  const values = new Float64Array(batch * rows * columns);
  const bounds = new Float64Array(values.length);
  for (let index = 0; index < values.length; index++) {
    const column = index % columns;
    const row = Math.floor(index / columns) % rows;
    const matrix = Math.floor(index / columns / rows);
    let sum = 0;
    let magnitude = 0;
    for (let k = 0; k < inner; k++) {
      const left = a.data[matrix * rows * inner + (transposeA ? k * rows + row : row * inner + k)] ?? 0;
      const right = b.data[matrix * inner * columns + (transposeB ? column * inner + k : k * columns + column)] ?? 0;
      sum += left * right;
      magnitude += Math.abs(left * right);
    }
    values[index] = sum;
    bounds[index] = 2 * inner * 2 ** -24 * magnitude;
  }
  return { values, bounds };
}
