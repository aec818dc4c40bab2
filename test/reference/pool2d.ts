import type { Padding } from '../../src/kernels/conv2d/shape.js';
import type { Pool2dOptions } from '../../src/kernels/pool2d.js';
import { image64, pixel, sizes, type Array64 } from './array64.js';

/** Pooling by going through every window as PyTorch defines it, with padding written out. */
export function pool2dReference(x: Array64, options: Pool2dOptions): Array64 {
  const [batch, height, width, channels] = sizes(x);
  const { kernel, stride, mode, countPadding = true, ceil = false, padding: given = 0 } = options;
  const padding: Padding = typeof given === 'number' ? { top: given, bottom: given, left: given, right: given } : given;
  const count = (size: number, before: number, after: number): number => {
    let outputs = 1;
    // Windows that fit, or with `ceil` those that start on the image or the padding before it.
    while (
      outputs * stride + kernel <= size + before + after ||
      (ceil && outputs * stride < size + before && (outputs - 1) * stride + kernel < size + before + after)
    ) {
      outputs++;
    }
    return outputs;
  };
  const shape = [
    batch,
    count(height, padding.top, padding.bottom),
    count(width, padding.left, padding.right),
    channels,
  ] as const;
  return image64(shape, (b, oy, ox, c) => {
    let best = -Infinity;
    let sum = 0;
    let inside = 0;
    let padded = 0;
    for (let j = 0; j < kernel; j++) {
      for (let i = 0; i < kernel; i++) {
        const y = oy * stride + j - padding.top;
        const xx = ox * stride + i - padding.left;
        if (y < height + padding.bottom && xx < width + padding.right) padded++;
        if (y < 0 || xx < 0 || y >= height || xx >= width) continue;
        inside++;
        const value = pixel(x, b, y, xx, c);
        best = Math.max(best, value);
        sum += value;
      }
    }
    return mode === 'max' ? best : sum / (countPadding ? padded : inside);
  });
}
