import { describe, expect, it } from 'vitest';
import { boundedSize, shrinkImage, shrinkMap, shrinkMask } from '../../src/report/downscale.js';

describe('boundedSize', () => {
  it('keeps proportions, never enlarges, never vanishes', () => {
    expect(boundedSize({ height: 1000, width: 2000 }, 480)).toEqual({ height: 240, width: 480 });
    expect(boundedSize({ height: 30, width: 20 }, 480)).toEqual({ height: 30, width: 20 });
    expect(boundedSize({ height: 1, width: 5000 }, 480)).toEqual({ height: 1, width: 480 });
  });
});

describe('shrinking', () => {
  it('takes the mean of colours', () => {
    const image = { height: 2, width: 2, data: Uint8Array.from([0, 10, 20, 100, 30, 20, 0, 10, 60, 100, 30, 60]) };
    expect([...shrinkImage(image, { height: 1, width: 1 }).data]).toEqual([50, 20, 40]);
  });

  it('keeps a single hot pixel of a large map and of a large mask', () => {
    const map = { height: 1001, width: 997, data: new Float32Array(1001 * 997).fill(-3) };
    map.data[500 * 997 + 333] = 9;
    const small = shrinkMap(map, { height: 100, width: 99 });
    expect(Math.max(...small.data)).toBe(9);
    expect(small.data.filter((value) => value === 9)).toHaveLength(1);
    expect(Math.min(...small.data)).toBe(-3);
    const mask = { height: 1001, width: 997, data: new Uint8Array(1001 * 997) };
    mask.data[1000 * 997 + 996] = 255;
    const smallMask = shrinkMask(mask, { height: 100, width: 99 });
    expect(smallMask.data.indexOf(255)).toBe(100 * 99 - 1);
  });

  it('cuts a region', () => {
    const map = { height: 4, width: 4, data: Float32Array.from({ length: 16 }, (_, at) => at) };
    const cut = shrinkMap(map, { height: 2, width: 2 }, { top: 1, left: 2, height: 2, width: 2 });
    expect([...cut.data]).toEqual([6, 7, 10, 11]);
  });
});
