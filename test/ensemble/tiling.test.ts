import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RgbImage } from '../../src/data/image.js';
import { TilesightError } from '../../src/engine/errors.js';
import { cutTile, rowAndColumn, tileGrid, tileOrigin } from '../../src/ensemble/tiling.js';

const square = (side: number) => ({ height: side, width: side });
const gridOf = (image: number, tile: number, stride: number) =>
  tileGrid({ image: square(image), tile: square(tile), stride: square(stride) });

/** A size, tile and stride that fit together. */
const anyGrid = fc
  .record({ height: fc.integer({ min: 1, max: 40 }), width: fc.integer({ min: 1, max: 40 }) })
  .chain((image) =>
    fc
      .record({ height: fc.integer({ min: 1, max: image.height }), width: fc.integer({ min: 1, max: image.width }) })
      .chain((tile) =>
        fc
          .record({ height: fc.integer({ min: 1, max: tile.height }), width: fc.integer({ min: 1, max: tile.width }) })
          .map((stride) => tileGrid({ image, tile, stride })),
      ),
  );

describe('tileGrid', () => {
  it.each([
    [256, 128, 128, 256, 2],
    [512, 256, 256, 512, 2],
    [512, 256, 128, 512, 3],
    [500, 256, 256, 512, 2],
    [500, 256, 128, 512, 3],
    [512, 222, 111, 555, 4],
    [1024, 256, 256, 1024, 4],
    [1024, 256, 128, 1024, 7],
    [2048, 256, 256, 2048, 8],
    [2048, 256, 128, 2048, 15],
    [2048, 512, 256, 2048, 7],
    [256, 256, 256, 256, 1],
  ])('of image %i, tile %i, stride %i pads to %i and has %i tiles an axis', (image, tile, stride, padded, count) => {
    const grid = gridOf(image, tile, stride);
    expect([grid.padded, grid.rows, grid.columns, grid.positions]).toEqual([square(padded), count, count, count ** 2]);
  });

  it('takes any height and width, and a stride of one tile by default', () => {
    const grid = tileGrid({ image: { height: 50, width: 100 }, tile: square(50) });
    expect([grid.rows, grid.columns, grid.stride]).toEqual([1, 2, square(50)]);
    const wide = tileGrid({
      image: { height: 500, width: 1263 },
      tile: { height: 256, width: 200 },
      stride: square(200),
    });
    expect([wide.rows, wide.columns, wide.padded]).toEqual([3, 7, { height: 656, width: 1400 }]);
    expect(tileOrigin(wide, 9)).toEqual({ top: 200, left: 400 });
    expect(rowAndColumn(wide, 9)).toEqual({ row: 1, column: 2 });
    expect(() => tileOrigin(wide, 21)).toThrow(RangeError);
  });

  it('refuses what leaves gaps or does not fit, in one line', () => {
    const cases = [
      [() => gridOf(100, 128, 64), /tile size 128x128 is larger than the image size 100x100/],
      [() => gridOf(256, 128, 129), /stride 129x129 is larger than the tile size 128x128/],
      [() => gridOf(256, 0, 0), /tile size 0x0 is not valid/],
      [() => gridOf(256, 128, 0.5), /stride 0.5x0.5 is not valid/],
    ] as const;
    for (const [make, message] of cases) {
      expect(make).toThrow(TilesightError);
      expect(make).toThrow(message);
      expect(make).not.toThrow(/\n/);
    }
  });

  it('covers every pixel with the fewest tiles', () => {
    fc.assert(
      fc.property(anyGrid, (grid) => {
        expect(grid.padded.height).toBeGreaterThanOrEqual(grid.image.height);
        expect(grid.padded.height - grid.image.height).toBeLessThan(grid.stride.height);
        expect(grid.padded.width - grid.image.width).toBeLessThan(grid.stride.width);
        const last = tileOrigin(grid, grid.positions - 1);
        expect(last.top + grid.tile.height).toBe(grid.padded.height);
        expect(last.left + grid.tile.width).toBe(grid.padded.width);
      }),
    );
  });
});

describe('cutTile', () => {
  const picture = (height: number, width: number): RgbImage => ({
    height,
    width,
    data: Uint8Array.from({ length: height * width * 3 }, (_, index) => (index % 250) + 1),
  });

  it('copies the pixels of the position and blackens the padding, also over old content', () => {
    fc.assert(
      fc.property(anyGrid, fc.nat(), (grid, number) => {
        const image = picture(grid.image.height, grid.image.width);
        const position = number % grid.positions;
        const { top, left } = tileOrigin(grid, position);
        const target = new Uint8Array(grid.tile.height * grid.tile.width * 3).fill(77);
        expect(cutTile(image, grid, position, target)).toBe(target);
        const expected = Array.from(target, (_, index) => {
          const y = top + Math.floor(index / 3 / grid.tile.width);
          const x = left + (Math.floor(index / 3) % grid.tile.width);
          return y < image.height && x < image.width ? image.data[(y * image.width + x) * 3 + (index % 3)] : 0;
        });
        expect([...target]).toEqual(expected);
      }),
    );
  });

  it('leaves what lies behind the tile in a longer target alone', () => {
    const grid = gridOf(3, 2, 2);
    const target = new Uint8Array(20).fill(9);
    cutTile(picture(3, 3), grid, 3, target);
    expect([...target.subarray(3)]).toEqual([...new Array<number>(9).fill(0), ...new Array<number>(8).fill(9)]);
  });

  it('refuses an image of another size', () => {
    expect(() => cutTile(picture(4, 4), gridOf(3, 2, 2), 0)).toThrow(/4x4.*3x3/);
  });
});
