import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { bilinearWeights, resizeBilinear, resizeNearest } from '../../src/data/resize.js';
import { resizeBilinearReference } from '../reference/resize.js';

/** Deterministic bytes with edges and noise. */
function bytes(count: number, seed = 1): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  });
}

describe('resizeBilinear', () => {
  it.each([
    [9, 7, 3, 4, 5],
    [1, 1, 3, 4, 3],
    [5, 1, 1, 2, 1],
    [31, 17, 3, 8, 8],
    [8, 8, 3, 31, 17],
    [97, 13, 4, 3, 40],
    [64, 64, 1, 64, 32],
    [50, 60, 3, 1, 1],
  ])('equals the direct sum: %i×%i×%i to %i×%i', (height, width, channels, targetHeight, targetWidth) => {
    const source = bytes(height * width * channels);
    const actual = resizeBilinear(source, height, width, channels, targetHeight, targetWidth);
    const expected = resizeBilinearReference(source, height, width, channels, targetHeight, targetWidth);
    expect(actual.length).toBe(targetHeight * targetWidth * channels);
    for (let i = 0; i < expected.length; i++) {
      // Equal to the rounded exact value, or next to it where that lies on the edge of rounding.
      expect(Math.abs((actual[i] ?? 0) - (expected[i] ?? 0))).toBeLessThanOrEqual(0.5 + 1e-3);
    }
  });

  it('reproduces values computed with Pillow 12 (BILINEAR) within one grey level', () => {
    // The source is (7·y + 13·x + 3·x·y) mod 256 on 6×8, one channel.
    const source = Uint8Array.from({ length: 48 }, (_, i) => {
      const y = Math.floor(i / 8);
      const x = i % 8;
      return (7 * y + 13 * x + 3 * x * y) % 256;
    });
    const pillow = [11, 34, 58, 82, 105, 26, 57, 90, 122, 153, 40, 80, 121, 161, 201];
    const actual = resizeBilinear(source, 6, 8, 1, 3, 5);
    for (let i = 0; i < pillow.length; i++) {
      expect(Math.abs((actual[i] ?? 0) - (pillow[i] ?? 0)), `value ${i}`).toBeLessThanOrEqual(1);
    }
  });

  it('keeps constant images and the range of values, and gives the source back when the size stays', () => {
    const size = fc.integer({ min: 1, max: 24 });
    fc.assert(
      fc.property(size, size, size, size, fc.integer({ min: 0, max: 255 }), (h, w, th, tw, value) => {
        const constant = resizeBilinear(new Uint8Array(h * w).fill(value), h, w, 1, th, tw);
        expect(constant.every((byte) => byte === value)).toBe(true);
        const source = bytes(h * w, value + 1);
        const resized = resizeBilinear(source, h, w, 1, th, tw);
        expect(Math.min(...resized)).toBeGreaterThanOrEqual(Math.min(...source));
        expect(Math.max(...resized)).toBeLessThanOrEqual(Math.max(...source));
        expect(resizeBilinear(source, h, w, 1, h, w)).toBe(source);
      }),
      { numRuns: 200 },
    );
  });

  it('has weights that sum to one and stay inside the input', () => {
    for (const [input, output] of [
      [900, 256],
      [256, 900],
      [7, 3],
      [1, 9],
      [9, 1],
    ] as const) {
      const { starts, counts, weights, width } = bilinearWeights(input, output);
      for (let i = 0; i < output; i++) {
        const count = counts[i] ?? 0;
        expect(count).toBeGreaterThan(0);
        expect(count).toBeLessThanOrEqual(width);
        expect((starts[i] ?? 0) + count).toBeLessThanOrEqual(input);
        let sum = 0;
        for (let j = 0; j < count; j++) sum += weights[i * width + j] ?? 0;
        expect(sum).toBeCloseTo(1, 12);
      }
    }
  });
});

describe('resizeNearest', () => {
  it('takes the pixel under the centre and makes up no value', () => {
    expect([...resizeNearest(Uint8Array.of(1, 2, 3, 4), 1, 4, 1, 2)]).toEqual([2, 4]);
    expect([...resizeNearest(Uint8Array.of(1, 2), 1, 2, 2, 4)]).toEqual([1, 1, 2, 2, 1, 1, 2, 2]);
    expect([...resizeNearest(Uint8Array.of(1, 2, 3), 3, 1, 1, 1)]).toEqual([2]);
    const source = Uint8Array.from({ length: 77 }, (_, i) => (i % 3 === 0 ? 255 : 0));
    expect(new Set(resizeNearest(source, 7, 11, 5, 29))).toEqual(new Set([0, 255]));
  });
});
