import { describe, expect, it } from 'vitest';
import type { ScoreMap } from '../../src/data/image.js';
import { planSeams, SeamSmoother } from '../../src/ensemble/seam-smoother.js';
import { seamRects, seamStrips, type SeamStrips } from '../../src/ensemble/seams.js';
import { tileGrid } from '../../src/ensemble/tiling.js';
import { testGpu } from '../gpu.js';
import { smoothedSeams } from '../reference/ensemble.js';

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

describe('seamRects', () => {
  it.each([
    ['two by two', { image: { height: 40, width: 44 }, tile: { height: 20, width: 22 } }],
    ['overlapping with padding', { image: { height: 37, width: 29 }, tile: square(16), stride: square(7) }],
    ['one row of tiles', { image: { height: 1, width: 40 }, tile: { height: 1, width: 10 } }],
    ['wide tiles', { image: { height: 50, width: 300 }, tile: { height: 25, width: 100 }, stride: square(20) }],
  ])('cover the strips once, from top to bottom, in pieces of the asked size: %s', (_name, options) => {
    const grid = tileGrid(options);
    const { height, width } = grid.image;
    const rects = seamRects(grid, 0.2, 5, 9);
    const covered = new Uint8Array(height * width);
    for (const rect of rects) {
      const [across, along] = rect.upright ? [rect.width, rect.height] : [rect.height, rect.width];
      expect(across).toBeLessThanOrEqual(5);
      expect(along).toBeLessThanOrEqual(9);
      for (let y = rect.top; y < rect.top + rect.height; y++) {
        for (let x = rect.left; x < rect.left + rect.width; x++) {
          covered[y * width + x] = (covered[y * width + x] ?? 0) + 1;
        }
      }
    }
    expect([...covered]).toEqual(inStrips(seamStrips(grid, 0.2), height, width).map(Number));
    rects.reduce((above, rect) => {
      // Pieces beside each other share their rows; the next ones lie wholly below.
      expect(rect.top === above.top || rect.top >= above.top + above.height).toBe(true);
      return rect;
    });
  });
});

describe('smoothing on the device', () => {
  it.each([
    ['two by two', { image: { height: 40, width: 44 }, tile: { height: 20, width: 22 } }, 2],
    ['overlapping with padding', { image: { height: 37, width: 29 }, tile: square(16), stride: square(7) }, 1.3],
    ['smaller than the kernel', { image: { height: 5, width: 6 }, tile: square(3) }, 2],
    ['one row of tiles', { image: { height: 1, width: 40 }, tile: { height: 1, width: 10 } }, 2],
    ['a rim wider than the strips', { image: square(60), tile: square(20) }, 4],
    ['many pieces', { image: { height: 150, width: 90 }, tile: square(12), stride: square(7) }, 0.8],
  ])('equals a full blur inside the strips and leaves the rest alone: %s', async (_name, options, sigma) => {
    const grid = tileGrid(options);
    const smoothing = { sigma, width: 0.34 };
    const gpu = await testGpu();
    const seams = planSeams(grid, smoothing, { adapter: gpu.profile });
    if (!seams) throw new Error('there are seams');
    const before = gpu.memory.liveBytes;
    const smoother = await SeamSmoother.create(gpu, seams, grid, smoothing);
    expect(gpu.memory.liveBytes - before).toBe(seams.plan.bytes.total);
    const map = noise(grid.image.height, grid.image.width);
    const original = map.data.slice();
    const expected = smoothedSeams(map, grid, smoothing);
    await smoother.smooth(map);
    // Two sums of at most 2r + 1 products each.
    const taps = 2 * Math.floor(4 * sigma + 0.5) + 1;
    let changed = 0;
    map.data.forEach((value, pixel) => {
      const wanted = expected[pixel] ?? NaN;
      expect(Math.abs(value - wanted)).toBeLessThanOrEqual(2 * (taps + 2) * 2 ** -24 * 40);
      if (wanted === original[pixel]) expect(value).toBe(wanted);
      else changed += 1;
    });
    expect(changed).toBeGreaterThan(0);
    // Again the same: nothing of the map before is left behind.
    const again = { ...map, data: original.slice() };
    await smoother.smooth(again);
    expect(again.data).toEqual(map.data);
    smoother.destroy();
    expect(gpu.memory.liveBytes).toBe(before);
  });

  it('is nothing for a single tile, for strips of less than a pixel, and where it is not wanted', async () => {
    const { profile: adapter } = await testGpu();
    expect(planSeams(gridOf(32, 32, 32), { sigma: 2, width: 0.1 }, { adapter })).toBeUndefined();
    expect(planSeams(gridOf(64, 8, 8), { sigma: 2, width: 0.1 }, { adapter })).toBeUndefined();
    expect(planSeams(gridOf(64, 32, 32), { sigma: 2, width: 0.1, apply: false }, { adapter })).toBeUndefined();
  });

  it('takes the same device memory for every grid', async () => {
    const { profile: adapter } = await testGpu();
    const bytes = [64, 224, 480].map(
      (side) => planSeams(gridOf(side, 32, 32), { sigma: 2, width: 0.1 }, { adapter })?.plan.bytes.total,
    );
    expect(new Set(bytes).size).toBe(1);
  });
});
