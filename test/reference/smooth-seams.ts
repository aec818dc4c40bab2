import type { Strips } from '../../src/kernels/smooth-seams.js';
import { image64, pixel, sizes, type Array64 } from './array64.js';

/** Blurred values inside the strips, the map's own elsewhere. */
export function smoothSeamsReference(
  map: Array64,
  blurred: Array64,
  strips: { readonly rows: Strips; readonly columns: Strips },
): Array64 {
  const inside = (position: number, ranges: Strips): boolean =>
    ranges.some(([start, end]) => position >= start && position < end);
  return image64(sizes(map), (b, y, x, c) =>
    pixel(inside(y, strips.rows) || inside(x, strips.columns) ? blurred : map, b, y, x, c),
  );
}
