import { describe, expect, it } from 'vitest';
import type { ScoreMap } from '../../src/data/image.js';
import { gaussianWeights, seamStrips, smoothSeams, type SeamStrips } from '../../src/ensemble/seams.js';
import { tileGrid } from '../../src/ensemble/tiling.js';
import { naiveBlur } from '../reference/ensemble.js';

const square = (side: number) => ({ height: side, width: side });
const gridOf = (image: number, tile: number, stride: number) =>
  tileGrid({ image: square(image), tile: square(tile), stride: square(stride) });

/** True on every pixel of a strip. */
function inStrips(strips: SeamStrips, height: number, width: number): boolean[] {
  return Array.from({ length: height * width }, (_, pixel) => {
    const y = Math.floor(pixel / width);
    const x = pixel % width;
    return (
      strips.rows.some(({ start, end }) => y >= start && y < end) ||
      strips.columns.some(({ start, end }) => x >= start && x < end)
    );
  });
}

const share = (mask: readonly boolean[]) => mask.filter(Boolean).length / mask.length;

function noise(height: number, width: number): ScoreMap {
  let state = 7;
  const data = Float32Array.from({ length: height * width }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32) * 40;
  });
  return { height, width, data };
}

describe('seamStrips', () => {
  it('cover the published shares of the image', () => {
    expect(share(inStrips(seamStrips(gridOf(512, 256, 256), 0.1), 512, 512))).toBeCloseTo(0.186, 3);
    expect(share(inStrips(seamStrips(gridOf(512, 256, 128), 0.1), 512, 512))).toBeCloseTo(0.5, 3);
  });

  it('lie on the seams and not in the corners', () => {
    const plain = inStrips(seamStrips(gridOf(100, 50, 50), 0.1), 100, 100);
    expect([
      plain[50 * 100 + 50],
      plain[45 * 100],
      plain[54 * 100],
      plain[55 * 100 + 55],
      plain[0],
      plain[9999],
    ]).toEqual([true, true, true, false, false, false]);
    const overlapping = inStrips(seamStrips(gridOf(100, 50, 25), 0.1), 100, 100);
    expect([overlapping[25 * 100 + 25], overlapping[75 * 100 + 75], overlapping[0]]).toEqual([true, true, false]);
  });

  it('are cut at the edges, joined where they overlap, and cover tile ends that are no multiple of the stride', () => {
    // Starts 0, 3, 6, 9, …, ends 20, 23, …: strips of 8 to both sides.
    expect(seamStrips(gridOf(40, 20, 3), 0.4).rows).toEqual([{ start: 0, end: 40 }]);
    expect(
      seamStrips(tileGrid({ image: { height: 20, width: 10 }, tile: square(10), stride: square(8) }), 0.1),
    ).toEqual({
      rows: [
        { start: 7, end: 11 },
        { start: 15, end: 19 },
      ],
      columns: [],
    });
  });

  it('are none for a single tile, whatever its stride, and for a width of less than a pixel', () => {
    expect(seamStrips(gridOf(64, 64, 32), 0.1)).toEqual({ rows: [], columns: [] });
    expect(seamStrips(gridOf(64, 8, 8), 0.1)).toEqual({ rows: [], columns: [] });
  });
});

describe('gaussianWeights', () => {
  it('has 17 weights of sum 1 for sigma 2, and one for 0', () => {
    const weights = gaussianWeights(2);
    expect(weights).toHaveLength(17);
    expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 14);
    expect((weights[8] ?? 0) / (weights[9] ?? 1)).toBeCloseTo(Math.exp(1 / 8), 12);
    expect([...gaussianWeights(0)]).toEqual([1]);
  });
});

describe('smoothSeams', () => {
  it.each([
    ['two by two', { image: { height: 40, width: 44 }, tile: { height: 20, width: 22 } }, 2],
    ['overlapping with padding', { image: { height: 37, width: 29 }, tile: square(16), stride: square(7) }, 1.3],
    ['smaller than the kernel', { image: { height: 5, width: 6 }, tile: square(3) }, 2],
    ['one row of tiles', { image: { height: 1, width: 40 }, tile: { height: 1, width: 10 } }, 2],
  ])('equals a full blur inside the strips and leaves the rest alone: %s', (_name, options, sigma) => {
    const grid = tileGrid(options);
    const { height, width } = grid.image;
    const map = noise(height, width);
    const before = map.data.slice();
    const result = smoothSeams(map, grid, { sigma, width: 0.34 });
    expect(map.data).toEqual(before);
    const blurred = naiveBlur(map.data, grid.image, sigma);
    const inside = inStrips(seamStrips(grid, 0.34), height, width);
    expect(inside.some(Boolean)).toBe(true);
    result.data.forEach((value, pixel) => {
      if (inside[pixel]) expect(Math.abs(value - (blurred[pixel] ?? NaN))).toBeLessThan(1e-5);
      else expect(value).toBe(before[pixel]);
    });
  });

  it('changes nothing for a single tile and refuses a map of another size', () => {
    const map = noise(32, 32);
    expect(smoothSeams(map, gridOf(32, 32, 32)).data).toEqual(map.data);
    expect(() => smoothSeams(map, gridOf(64, 32, 32))).toThrow(RangeError);
  });
});
