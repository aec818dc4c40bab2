import { elementCount } from '../../src/engine/tensor.js';
import type { ReduceOperation } from '../../src/kernels/reduce.js';
import { build64, type Array64 } from './array64.js';

/** Reduction of `groups` equal parts, one after the other. */
export function reduceReference(x: Array64, operation: ReduceOperation, groups: number): Array64 {
  const length = elementCount(x.shape) / groups;
  return build64([groups], (group) => {
    const part = x.data.subarray(group * length, (group + 1) * length);
    switch (operation) {
      case 'max':
        return part.reduce((best, value) => Math.max(best, value), -Infinity);
      case 'countNonFinite':
        return part.reduce((count, value) => count + (Number.isFinite(value) ? 0 : 1), 0);
      case 'sum':
        return part.reduce((sum, value) => sum + value, 0);
      case 'mean':
        return part.reduce((sum, value) => sum + value, 0) / length;
    }
  });
}

/** Index of the greatest element of each part; of equals the first. */
export function argmaxReference(x: Array64, groups: number): Array64 {
  const length = elementCount(x.shape) / groups;
  return build64([groups], (group) => {
    let best = 0;
    for (let index = 1; index < length; index++) {
      if ((x.data[group * length + index] ?? NaN) > (x.data[group * length + best] ?? NaN)) best = index;
    }
    return best;
  });
}

/** Sum over all but the last axis. */
export function channelSumReference(x: Array64): Array64 {
  const channels = x.shape.at(-1) ?? 1;
  const sums = new Float64Array(channels);
  x.data.forEach((value, index) => (sums[index % channels] = (sums[index % channels] ?? 0) + value));
  return { shape: [channels], data: sums };
}
