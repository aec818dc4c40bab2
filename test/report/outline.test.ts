import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Mask } from '../../src/data/image.js';
import { connectedComponents } from '../../src/metrics/components.js';
import { outlinePath } from '../../src/report/outline.js';

function maskOf(rows: readonly string[]): Mask {
  const width = rows[0]?.length ?? 0;
  const data = Uint8Array.from(rows.join(''), (letter) => (letter === '#' ? 255 : 0));
  return { height: rows.length, width, data };
}

/** Fills a path of M, H, V and Z by counting the vertical edges left of each pixel (even-odd rule). */
function filled(path: string, height: number, width: number): Uint8Array {
  const edges = new Uint8Array(height * (width + 1));
  for (const part of path.split('Z').filter(Boolean)) {
    const [start = '', ...moves] = part.slice(1).split(/(?=[HV])/);
    const [startX = 0, startY = 0] = start.split(',').map(Number);
    let [x, y] = [startX, startY];
    const goto = (nextX: number, nextY: number): void => {
      for (let row = Math.min(y, nextY); row < Math.max(y, nextY); row++) {
        edges[row * (width + 1) + x] = 1 - (edges[row * (width + 1) + x] ?? 0);
      }
      [x, y] = [nextX, nextY];
    };
    for (const move of moves) {
      if (move.startsWith('H')) goto(Number(move.slice(1)), y);
      else goto(x, Number(move.slice(1)));
    }
    goto(startX, startY);
  }
  const inside = new Uint8Array(height * width);
  for (let row = 0; row < height; row++) {
    let within = 0;
    for (let column = 0; column < width; column++) {
      within ^= edges[row * (width + 1) + column] ?? 0;
      inside[row * width + column] = within * 255;
    }
  }
  return inside;
}

describe('outlinePath', () => {
  it('draws a rectangle along the edges of its pixels', () => {
    expect(outlinePath(maskOf(['....', '.##.', '.##.', '....']))).toBe('M1,1H3V3H1V1Z');
  });

  it('draws a hole as an outline of its own', () => {
    const path = outlinePath(maskOf(['#####', '#...#', '#...#', '#####']));
    expect(path.split('Z').filter(Boolean)).toHaveLength(2);
  });

  it('is empty for an empty mask', () => {
    expect(outlinePath(maskOf(['...', '...']))).toBe('');
  });

  it('encloses exactly the mask, whatever its shape, with at least one outline a region', () => {
    const masks = fc
      .tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }))
      .chain(([height, width]) =>
        fc
          .array(fc.boolean(), { minLength: height * width, maxLength: height * width })
          .map((bits): Mask => ({ height, width, data: Uint8Array.from(bits, (bit) => (bit ? 255 : 0)) })),
      );
    fc.assert(
      fc.property(masks, (mask) => {
        const path = outlinePath(mask);
        expect(filled(path, mask.height, mask.width)).toEqual(mask.data);
        expect(path.split('Z').length - 1).toBeGreaterThanOrEqual(connectedComponents(mask).areas.length);
      }),
      { numRuns: 300 },
    );
  });

  it('traces a ragged mask more coarsely, in the same coordinates', () => {
    const side = 256;
    const data = Uint8Array.from({ length: side * side }, (_, at) =>
      (at + Math.floor(at / side)) % 2 === 0 ? 255 : 0,
    );
    const path = outlinePath({ height: side, width: side, data }, 2000);
    expect(path.length).toBeLessThanOrEqual(2000);
    const numbers = path.match(/\d+/g)?.map(Number) ?? [];
    expect(Math.max(...numbers)).toBe(side);
  });
});
