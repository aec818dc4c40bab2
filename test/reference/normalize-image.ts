import type { NormalizeImageOptions } from '../../src/kernels/normalize-image.js';
import { image64, pixel, sizes, type Array64 } from './array64.js';

/** `(v · scale − mean) / std` of every channel, in the network's order. */
export function normalizeImageReference(pixels: Array64, options: Required<NormalizeImageOptions>): Array64 {
  const { mean, std, scale, channelOrder } = options;
  const [batch, height, width] = sizes(pixels);
  return image64([batch, height, width, 3], (b, y, x, c) => {
    const value = pixel(pixels, b, y, x, channelOrder === 'bgr' ? 2 - c : c);
    return (value * scale - (mean[c] ?? NaN)) / (std[c] ?? NaN);
  });
}
