import type { Resize2dOptions } from '../../src/kernels/resize2d.js';
import { image64, pixel, sizes, type Array64 } from './array64.js';

/** Weights of all input pixels for each output pixel along one axis, by PyTorch's definitions. */
function axisWeights(inputs: number, outputs: number, options: Resize2dOptions): Map<number, number>[] {
  const { mode, alignCorners = false, antialias = false } = options;
  return Array.from({ length: outputs }, (_, output) => {
    if (mode === 'nearest') {
      const scale = Math.fround(inputs / outputs);
      return new Map([[Math.min(Math.floor(Math.fround(output * scale)), inputs - 1), 1]]);
    }
    const scale = inputs / outputs;
    if (antialias) {
      const support = Math.max(scale, 1);
      const centre = (output + 0.5) * scale;
      const weights = new Map<number, number>();
      for (let input = 0; input < inputs; input++) {
        const weight = 1 - Math.abs(input + 0.5 - centre) / support;
        if (weight > 0) weights.set(input, weight);
      }
      const total = [...weights.values()].reduce((sum, weight) => sum + weight, 0);
      return new Map([...weights].map(([input, weight]) => [input, weight / total]));
    }
    const position = alignCorners
      ? outputs > 1
        ? (output * (inputs - 1)) / (outputs - 1)
        : 0
      : Math.max(0, (output + 0.5) * scale - 0.5);
    const first = Math.min(Math.floor(position), inputs - 1);
    const second = Math.min(first + 1, inputs - 1);
    if (first === second) return new Map([[first, 1]]);
    return new Map([
      [first, 1 - (position - first)],
      [second, position - first],
    ]);
  });
}

/** Resizing as two sums over all weights. */
export function resize2dReference(x: Array64, options: Resize2dOptions): Array64 {
  const [batch, height, width, channels] = sizes(x);
  const rows = axisWeights(height, options.height, options);
  const columns = axisWeights(width, options.width, options);
  return image64([batch, options.height, options.width, channels], (b, oy, ox, c) => {
    let sum = 0;
    for (const [y, weightY] of rows[oy] ?? []) {
      for (const [xx, weightX] of columns[ox] ?? []) sum += weightY * weightX * pixel(x, b, y, xx, c);
    }
    return sum;
  });
}
