import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { connectedComponents, RUN_FIELDS } from '../../src/metrics/index.js';
import { floodFill } from '../reference/metrics.js';

/** Region of every pixel, -1 outside. */
function labelImage(height: number, width: number, data: Uint8Array): number[] {
  const { runs, runCount } = connectedComponents({ height, width, data });
  const labels = Array.from({ length: height * width }, () => -1);
  for (let run = 0; run < runCount; run++) {
    const [row = 0, first = 0, end = 0, region = 0] = runs.slice(run * RUN_FIELDS, (run + 1) * RUN_FIELDS);
    labels.fill(region, row * width + first, row * width + end);
  }
  return labels;
}

describe('connectedComponents', () => {
  it('joins diagonal neighbours and keeps a U with a dot apart', () => {
    const rows = ['#...#', '#.#.#', '#...#', '.###.'];
    const data = Uint8Array.from(rows.join(''), (pixel) => (pixel === '#' ? 255 : 0));
    const { count, areas } = connectedComponents({ height: 4, width: 5, data });
    expect(count).toBe(2);
    expect([...areas]).toEqual([9, 1]);
  });

  it('equals a flood fill on any mask', () => {
    const mask = fc
      .record({ height: fc.integer({ min: 1, max: 14 }), width: fc.integer({ min: 1, max: 14 }) })
      .chain(({ height, width }) =>
        fc.record({
          height: fc.constant(height),
          width: fc.constant(width),
          data: fc
            .array(fc.constantFrom(0, 0, 1), { minLength: height * width, maxLength: height * width })
            .map((pixels) => Uint8Array.from(pixels)),
        }),
      );
    fc.assert(
      fc.property(mask, ({ height, width, data }) => {
        const expected = floodFill(height, width, [...data]);
        // Both number regions by their first pixel in row-major order.
        expect(labelImage(height, width, data)).toEqual(expected.labels);
        const { areas, count } = connectedComponents({ height, width, data });
        expect(count).toBe(expected.count);
        expect(areas.reduce((sum, area) => sum + area, 0)).toBe(data.reduce((sum, pixel) => sum + pixel, 0));
      }),
      { numRuns: 300 },
    );
  });

  it('handles many runs, an empty image and a wrong length', () => {
    const stripes = Uint8Array.from({ length: 10_000 }, (_, pixel) => pixel % 2);
    expect(connectedComponents({ height: 100, width: 100, data: stripes }).count).toBe(50);
    expect(connectedComponents({ height: 0, width: 0, data: new Uint8Array(0) }).count).toBe(0);
    expect(() => connectedComponents({ height: 2, width: 2, data: new Uint8Array(3) })).toThrow(RangeError);
  });
});
