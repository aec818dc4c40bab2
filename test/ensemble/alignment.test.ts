import { describe, expect, it } from 'vitest';
import { AlignmentStatistics } from '../../src/ensemble/alignment.js';

const SIDE = 48;

/** A grey tile from a function of the place, with brightness, contrast and noise of its own. */
function tile(value: (y: number, x: number) => number): Uint8Array {
  return Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, index) => {
    const pixel = Math.floor(index / 3);
    return Math.max(0, Math.min(255, Math.round(value(Math.floor(pixel / SIDE), pixel % SIDE))));
  });
}

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A bright disc and a dark bar, moved by (dy, dx). */
const part = (dy: number, dx: number) => (y: number, x: number) =>
  (y - 16 - dy) ** 2 + (x - 20 - dx) ** 2 < 64 ? 200 : Math.abs(y - 36 - dy) < 3 ? 40 : 110;

function measure(images: readonly (readonly Uint8Array[])[]) {
  const statistics = new AlignmentStatistics(images[0]?.length ?? 0);
  for (const tiles of images) tiles.forEach((pixels, position) => statistics.add(position, pixels, SIDE, SIDE));
  return statistics.result();
}

describe('AlignmentStatistics', () => {
  it('finds the same part under other light and noise aligned', () => {
    const draw = random(3);
    const images = Array.from({ length: 12 }, () => {
      const gain = 0.6 + draw() * 0.6;
      const offset = draw() * 30;
      return [tile((y, x) => part(0, 0)(y, x) * gain + offset + draw() * 30), tile(() => 90 + offset)];
    });
    const result = measure(images);
    expect(result.verdict).toBe('aligned');
    expect(result.correlation).toBeGreaterThan(0.95);
    // The second position is plain and says nothing.
    expect(result.positions[1]).toBeUndefined();
    expect(result.advice).toMatch(/aligned/);
  });

  it('finds moved parts and textures unaligned, and names the better choice', () => {
    const draw = random(5);
    const moved = measure(Array.from({ length: 12 }, () => [tile(part(draw() * 30 - 15, draw() * 30 - 15))]));
    expect(moved.verdict).toBe('unaligned');
    expect(moved.advice).toMatch(/--shared/);
    const texture = measure(
      Array.from({ length: 20 }, () => {
        const cells = Array.from({ length: 256 }, () => draw() * 255);
        return [tile((y, x) => cells[Math.floor(y / 3) * 16 + Math.floor(x / 3)] ?? 0)];
      }),
    );
    expect(texture.verdict).toBe('unaligned');
    expect(Math.abs(texture.correlation ?? 1)).toBeLessThan(0.1);
  });

  it('does not take a common fall-off of light for alignment', () => {
    const draw = random(9);
    const images = Array.from({ length: 20 }, () => {
      const cells = Array.from({ length: 256 }, () => draw() * 120);
      return [tile((y, x) => x * 1.5 + y + (cells[Math.floor(y / 3) * 16 + Math.floor(x / 3)] ?? 0))];
    });
    expect(measure(images).verdict).toBe('unaligned');
  });

  it('equals the mean of all pairwise correlations', () => {
    const draw = random(11);
    const tiles = Array.from({ length: 6 }, () => tile((y, x) => part(draw() * 4, draw() * 4)(y, x)));
    const pair = (first: Uint8Array, second: Uint8Array) => {
      // With three images of which two are the same: r = (1 + 2 r12) / 3.
      const result = measure([[first], [first], [second]]);
      return (3 * (result.correlation ?? NaN) - 1) / 2;
    };
    let sum = 0;
    let pairs = 0;
    tiles.forEach((first, i) => {
      for (const second of tiles.slice(i + 1)) {
        sum += pair(first, second);
        pairs++;
      }
    });
    expect(measure(tiles.map((pixels) => [pixels])).correlation).toBeCloseTo(sum / pairs, 10);
  });

  it('is unknown for two images or plain ones, and refuses a wrong tile', () => {
    expect(measure([[tile(part(0, 0))], [tile(part(0, 0))]]).verdict).toBe('unknown');
    expect(measure(Array.from({ length: 9 }, () => [tile(() => 70)])).verdict).toBe('unknown');
    const statistics = new AlignmentStatistics(1);
    expect(() =>
      statistics.add(
        1,
        tile(() => 0),
        SIDE,
        SIDE,
      ),
    ).toThrow(RangeError);
    expect(() => statistics.add(0, new Uint8Array(5), SIDE, SIDE)).toThrow(RangeError);
    statistics.add(0, new Uint8Array(12), 2, 2);
    expect(statistics.result().verdict).toBe('unknown');
  });
});
