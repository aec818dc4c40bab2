import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defectBoxes } from '../../src/ensemble/boxes.js';
import { normalizeMap, normalizeScore, RangeOfScores } from '../../src/ensemble/normalization.js';
import { imageScores, largest, meanOf } from '../../src/ensemble/scores.js';
import { describeThreshold, fitThreshold, givenThreshold, maskAtThreshold } from '../../src/ensemble/thresholds.js';
import { PixelScores, rankScores } from '../../src/metrics/index.js';

describe('normalisation', () => {
  it('is that of the hand-made cases', () => {
    const normalized = (scores: number[], minimum: number, maximum: number, threshold: number) =>
      scores.map((score) => Number(normalizeScore(score, { minimum, maximum, threshold }).toFixed(12)));
    expect(normalized([20, 40, 60, 80], 0, 100, 50)).toEqual([0.2, 0.4, 0.6, 0.8]);
    expect(normalized([20, 40, 60, 80], 0, 100, 40)).toEqual([0.3, 0.5, 0.7, 0.9]);
    expect(normalized([0, 40, 80, 120], 20, 100, 50)).toEqual([0, 0.375, 0.875, 1]);
  });

  it('stays in [0, 1], keeps the order, and puts the threshold on one half', () => {
    const finite = fc.double({ min: -1e6, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(finite, finite, finite, finite, finite, (a, b, threshold, first, second) => {
        const statistics = { minimum: Math.min(a, b), maximum: Math.max(a, b), threshold };
        const low = normalizeScore(Math.min(first, second), statistics);
        const high = normalizeScore(Math.max(first, second), statistics);
        expect(low).toBeGreaterThanOrEqual(0);
        expect(high).toBeLessThanOrEqual(1);
        expect(low).toBeLessThanOrEqual(high);
        expect(normalizeScore(threshold, statistics)).toBe(0.5);
      }),
    );
  });

  it('works in place on maps and with no range', () => {
    const map = Float32Array.of(1, 2, 3);
    normalizeMap(map, { minimum: 2, maximum: 2, threshold: 2 });
    expect([...map]).toEqual([0, 0.5, 1]);
  });

  it('takes its range from any number of scores', () => {
    const range = new RangeOfScores();
    expect(() => range.statistics()).toThrow(/no validation image/);
    range.add([3, -1]);
    range.add(Float32Array.of(2, 7));
    expect(range.statistics(4)).toEqual({ minimum: -1, maximum: 7, threshold: 4 });
    expect(range.statistics().threshold).toBe(3);
    range.add([NaN]);
    expect(() => range.statistics()).toThrow(/not finite/);
  });
});

describe('fitThreshold', () => {
  it('is F1-adaptive with labelled defects', () => {
    const fit = (scores: number[], labels: number[]) => fitThreshold(rankScores(scores, labels), 0.98);
    expect(fit([2.3, 1.6, 2.6, 7.9, 3.3], [0, 0, 0, 1, 1])).toEqual({
      value: 3.3,
      rule: 'f1-adaptive',
      good: 3,
      defective: 2,
    });
    expect(fit([4, 3, 2, 1], [1, 0, 0, 0]).value).toBe(4);
    expect(fit([4, 3, 2, 1], [1, 1, 1, 1])).toMatchObject({ value: 1, rule: 'lowest-defective' });
  });

  it('stays just above the quantile without defects, never at the minimum', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -1e30, max: 1e30, noNaN: true }), { minLength: 1, maxLength: 60 }),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        (scores, quantile) => {
          const labels = scores.map(() => 0);
          const threshold = fitThreshold(rankScores(scores, labels), quantile);
          const below = scores.filter((score) => score < threshold.value).length;
          expect(threshold.rule).toBe('quantile');
          expect(threshold.value).toBeGreaterThan(Math.min(...scores));
          expect(below / scores.length).toBeGreaterThanOrEqual(quantile - 1e-12);
        },
      ),
    );
    const same = fitThreshold(rankScores([0, 0, 0], [0, 0, 0]), 0.98);
    expect(same.value).toBeGreaterThan(0);
    expect(same.value).toBeLessThan(1e-40);
    expect(fitThreshold(rankScores([-2], [0]), 1).value).toBe(-2 + 2 ** -23);
  });

  it('fits pixels the same way', () => {
    const pixels = new PixelScores();
    pixels.add({ height: 10, width: 100, data: Float32Array.from({ length: 1000 }, (_, pixel) => pixel) });
    expect(fitThreshold(pixels, 0.99).value).toBe(Math.fround(989 + 2 ** -14));
  });

  it('refuses what has no threshold, in one line', () => {
    expect(() => fitThreshold(rankScores([], []), 0.9)).toThrow(/hold out some good images/);
    expect(() => fitThreshold(rankScores([1, NaN], [0, 0]), 0.9, 'image')).toThrow(/1 image scores are not numbers/);
    expect(() => fitThreshold(rankScores([1], [0]), 0)).toThrow(/quantile/);
    expect(() => givenThreshold(NaN)).toThrow(/not a finite number/);
    expect(givenThreshold(3)).toMatchObject({ value: 3, rule: 'given' });
  });

  it('says where it came from', () => {
    expect(describeThreshold(fitThreshold(rankScores([1, 2], [0, 1]), 0.9))).toBe(
      'best F1 on 1 good and 1 defective validation items',
    );
    expect(describeThreshold(fitThreshold(rankScores([1, 2], [0, 0]), 0.9))).toBe(
      'above 90 % of 2 good validation items',
    );
    expect(describeThreshold(givenThreshold(1))).toBe('given by the user');
  });
});

describe('maskAtThreshold', () => {
  it('takes what is at the threshold as defective', () => {
    const map = { height: 1, width: 5, data: Float32Array.of(0.7, 0.8, 0.1, 0.33, 0.5) };
    expect([...maskAtThreshold(map, 0.5).data]).toEqual([255, 255, 0, 0, 255]);
  });
});

describe('image scores', () => {
  it('are the maximum of the map and the mean of the tiles', () => {
    const map = { height: 1, width: 4, data: Float32Array.of(1, 9, -3, 2) };
    expect(imageScores(map, [1, 2, 6])).toEqual({ maximum: 9, mean: 3 });
    expect([largest([]), largest([-5, -7]), largest([1, NaN, 3]), meanOf([])]).toEqual([-Infinity, -5, NaN, NaN]);
  });
});

describe('defectBoxes', () => {
  const rows = ['1100000', '0000000', '0050030', '0007000', '0000000'];
  const map = { height: 5, width: 7, data: Float32Array.from(rows.join(''), Number) };

  it('surround the regions, the highest score first', () => {
    expect(defectBoxes(map, { threshold: 1 })).toEqual([
      { left: 2, top: 2, width: 2, height: 2, area: 2, score: 7 },
      { left: 5, top: 2, width: 1, height: 1, area: 1, score: 3 },
      { left: 0, top: 0, width: 2, height: 1, area: 2, score: 1 },
    ]);
    expect(defectBoxes(map, { threshold: 8 })).toEqual([]);
  });

  it('are given at the original size and filtered by area', () => {
    const boxes = defectBoxes(map, { threshold: 1, original: { height: 12, width: 14 }, minimumArea: 5 });
    expect(boxes).toHaveLength(2);
    expect(boxes[0]).toMatchObject({ left: 4, top: 4, width: 4, height: 6, score: 7 });
    expect(boxes[0]?.area).toBeCloseTo(9.6, 10);
    const edge = defectBoxes(
      { height: 3, width: 3, data: new Float32Array(9).fill(1) },
      { threshold: 1, original: { height: 10, width: 7 } },
    );
    expect(edge).toMatchObject([{ left: 0, top: 0, width: 7, height: 10 }]);
  });
});
