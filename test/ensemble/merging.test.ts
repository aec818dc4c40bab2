import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BandMerger, MapMerger, type MapRows, type MergeWindow } from '../../src/ensemble/merging.js';
import { tileGrid, tileOrigin, type TileGrid } from '../../src/ensemble/tiling.js';
import { naiveMerge } from '../reference/ensemble.js';

const square = (side: number) => ({ height: side, width: side });

const anyGrid = fc
  .tuple(
    fc.integer({ min: 1, max: 24 }),
    fc.integer({ min: 1, max: 24 }),
    fc.array(fc.nat(), { minLength: 4, maxLength: 4 }),
  )
  .map(([height, width, [a = 0, b = 0, c = 0, d = 0]]) => {
    const tile = { height: 1 + (a % height), width: 1 + (b % width) };
    const stride = { height: 1 + (c % tile.height), width: 1 + (d % tile.width) };
    return tileGrid({ image: { height, width }, tile, stride });
  });

/** Different maps for all positions, exact in a few bits so that sums are exact. */
function tileMaps(grid: TileGrid): Float32Array[] {
  return Array.from({ length: grid.positions }, (_, position) =>
    Float32Array.from(
      { length: grid.tile.height * grid.tile.width },
      (_value, pixel) => ((position * 31 + pixel * 7) % 64) / 4,
    ),
  );
}

function merged(grid: TileGrid, maps: readonly Float32Array[], window: MergeWindow = 'mean'): Float32Array {
  const merger = new MapMerger(grid, { window });
  maps.forEach((map, position) => merger.addTile(Math.floor(position / grid.columns), position % grid.columns, map));
  return merger.finish().data;
}

const placed = (grid: TileGrid, maps: readonly Float32Array[]) =>
  maps.map((map, position) => ({ ...tileOrigin(grid, position), map }));

const hann = (length: number, index: number) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (index + 0.5)) / length);

describe('MapMerger', () => {
  it('is the mean over the tiles that cover a pixel, rounded once, for any grid', () => {
    fc.assert(
      fc.property(anyGrid, (grid) => {
        const maps = tileMaps(grid);
        const expected = naiveMerge(grid.image, grid.tile, placed(grid, maps));
        expect([...merged(grid, maps)]).toEqual(expected.map(Math.fround));
      }),
    );
  });

  it('gives back bit for bit the map that the tiles were cut from', () => {
    for (const [image, tile, stride] of [
      [512, 256, 256],
      [512, 256, 128],
      [500, 256, 128],
      [64, 64, 64],
    ] as const) {
      const grid = tileGrid({ image: square(image), tile: square(tile), stride: square(stride) });
      const whole = Float32Array.from({ length: image * image }, (_, pixel) => Math.sin(pixel) * 1e3);
      const maps = Array.from({ length: grid.positions }, (_, position) => {
        const { top, left } = tileOrigin(grid, position);
        return Float32Array.from({ length: tile * tile }, (_value, pixel) => {
          const y = top + Math.floor(pixel / tile);
          const x = left + (pixel % tile);
          return y < image && x < image ? (whole[y * image + x] ?? NaN) : 1e9;
        });
      });
      expect(Buffer.compare(Buffer.from(merged(grid, maps).buffer), Buffer.from(whole.buffer))).toBe(0);
    }
  });

  it('gives the mean of the covering values for constant tiles', () => {
    const grid = tileGrid({ image: square(12), tile: square(8), stride: square(4) });
    const maps = [1, 2, 4, 8].map((value) => new Float32Array(64).fill(value));
    const map = merged(grid, maps);
    expect([map[0], map[11], map[11 * 12], map[143]]).toEqual([1, 2, 4, 8]);
    expect([map[5], map[5 * 12], map[5 * 12 + 5]]).toEqual([1.5, 2.5, 3.75]);
  });

  it('weights by the smooth window when asked, leaving equal tiles as they are', () => {
    fc.assert(
      fc.property(anyGrid, (grid) => {
        const maps = tileMaps(grid);
        const { height, width } = grid.tile;
        const expected = naiveMerge(
          grid.image,
          grid.tile,
          placed(grid, maps),
          (y, x) => hann(height, y) * hann(width, x),
        );
        merged(grid, maps, 'smooth').forEach((value, pixel) =>
          expect(Math.abs(value - (expected[pixel] ?? NaN))).toBeLessThan(2e-5),
        );
        const constant = maps.map((map) => map.map(() => 3));
        for (const value of merged(grid, constant, 'smooth')) expect(value).toBeCloseTo(3, 5);
      }),
      { numRuns: 50 },
    );
  });

  it('refuses a tile twice, a wrong size, a position outside, and to finish early', () => {
    const merger = new MapMerger(tileGrid({ image: square(4), tile: square(2) }));
    merger.addTile(0, 1, new Float32Array(4));
    expect(() => merger.addTile(0, 1, new Float32Array(4))).toThrow(/came twice/);
    expect(() => merger.addTile(0, 0, new Float32Array(5))).toThrow(/5 scores/);
    expect(() => merger.addTile(2, 0, new Float32Array(4))).toThrow(RangeError);
    expect(() => merger.finish()).toThrow(/3 tiles are missing/);
  });
});

describe('BandMerger', () => {
  it('hands out every row once, in order, holding at most the rows of one tile', () => {
    const grid = tileGrid({ image: { height: 100, width: 30 }, tile: square(16), stride: square(12) });
    const maps = tileMaps(grid);
    const received: MapRows[] = [];
    let held = 0;
    let most = 0;
    const merger = new BandMerger(
      grid,
      'mean',
      (rows) => {
        received.push(rows);
        held -= rows.height;
      },
      (top, bottom) => {
        held += bottom - top;
        most = Math.max(most, held);
        return new Float32Array((bottom - top) * grid.image.width);
      },
    );
    maps.forEach((map, position) => merger.addTile(Math.floor(position / grid.columns), position % grid.columns, map));
    expect(merger.missing).toBe(0);
    expect(held).toBe(0);
    expect(most).toBeLessThanOrEqual(16);
    let next = 0;
    for (const rows of received) {
      expect(rows.top).toBe(next);
      next += rows.height;
    }
    expect(next).toBe(100);
    expect(received.flatMap((rows) => [...rows.data])).toEqual([...merged(grid, maps)]);
  });

  it('takes tiles in any order', () => {
    const grid = tileGrid({ image: { height: 20, width: 20 }, tile: square(8), stride: square(4) });
    const maps = tileMaps(grid);
    const merger = new MapMerger(grid);
    for (let position = grid.positions - 1; position >= 0; position--) {
      merger.addTile(
        Math.floor(position / grid.columns),
        position % grid.columns,
        maps[position] ?? new Float32Array(),
      );
    }
    expect([...merger.finish().data]).toEqual([...merged(grid, maps)]);
  });
});
