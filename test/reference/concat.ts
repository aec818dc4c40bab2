import { elementCount } from '../../src/engine/tensor.js';
import { build64, type Array64 } from './array64.js';

/** Concatenation along an axis, element by element. */
export function concatReference(tensors: readonly Array64[], axis: number): Array64 {
  const [first] = tensors;
  if (!first) throw new Error('nothing to concatenate');
  const total = tensors.reduce((sum, tensor) => sum + (tensor.shape[axis] ?? 0), 0);
  const shape = first.shape.with(axis, total);
  const inner = elementCount(shape.slice(axis + 1));
  return build64(shape, (index) => {
    const column = Math.floor(index / inner) % total;
    const row = Math.floor(index / inner / total);
    let start = 0;
    for (const tensor of tensors) {
      const length = tensor.shape[axis] ?? 0;
      if (column < start + length) return tensor.data[(row * length + column - start) * inner + (index % inner)] ?? NaN;
      start += length;
    }
    return NaN;
  });
}

/** Elements `start` to `end` along an axis. */
export function sliceReference(tensor: Array64, start: number, end: number, axis: number): Array64 {
  const shape = tensor.shape.with(axis, end - start);
  const inner = elementCount(shape.slice(axis + 1));
  const length = tensor.shape[axis] ?? 0;
  return build64(shape, (index) => {
    const column = Math.floor(index / inner) % (end - start);
    const row = Math.floor(index / inner / (end - start));
    return tensor.data[(row * length + column + start) * inner + (index % inner)] ?? NaN;
  });
}
