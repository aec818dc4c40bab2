import { image64, pixel, sizes, type Array64 } from './array64.js';
import { concatReference } from './concat.js';
import { resize2dReference } from './resize2d.js';

/** Picks channels. */
export function gatherChannelsReference(x: Array64, indices: readonly number[]): Array64 {
  const [batch, height, width] = sizes(x);
  return image64([batch, height, width, indices.length], (b, y, xx, c) => pixel(x, b, y, xx, indices[c] ?? -1));
}

/** Nearest resizing of every map, concatenation, then the choice of channels: the embedding written out. */
export function gatherFeaturesReference(
  taps: readonly Array64[],
  options: { height: number; width: number; channels: readonly number[] },
): Array64 {
  const { height, width, channels } = options;
  const resized = taps.map((tap) => resize2dReference(tap, { height, width, mode: 'nearest' }));
  const { shape, data } = gatherChannelsReference(concatReference(resized, 3), channels);
  return { shape: [shape[0] ?? 1, height * width, channels.length], data };
}
