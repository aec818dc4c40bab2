import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  areaUnderPrecisionRecall,
  areaUnderPro,
  areaUnderRoc,
  bestF1,
  confusionAt,
  f1At,
  perRegionOverlapAt,
} from '../../src/metrics/index.js';
import { quantileOfGood, rankScores } from '../../src/metrics/ranking.js';
import { naiveAupr, naiveAuroc, naiveBestF1, naiveF1 } from '../reference/metrics.js';

/** Scores with many ties and labels of both classes. */
const labelled = fc
  .array(fc.record({ score: fc.integer({ min: -6, max: 6 }), label: fc.constantFrom(0, 1) }), { maxLength: 40 })
  .map((items) => [...items, { score: 1, label: 0 }, { score: 2, label: 1 }])
  .map((items) => ({ scores: items.map((item) => item.score / 4), labels: items.map((item) => item.label) }));

describe('image-level metrics', () => {
  it('are those of the hand-made cases', () => {
    const separable = rankScores([0.1, 0.5, 0.9, 1], [0, 1, 1, 1]);
    expect(bestF1(separable)).toEqual({ f1: 1, threshold: 0.5 });
    expect(areaUnderRoc(separable)).toBe(1);
    const mixed = bestF1(rankScores([0.1, 0.5, 0.9, 0.1], [0, 1, 1, 1]));
    expect(mixed?.f1).toBeCloseTo(0.8571, 4);
    expect(mixed?.threshold).toBe(0.1);
    expect(bestF1(rankScores([2.3, 1.6, 2.6, 7.9, 3.3], [0, 0, 0, 1, 1]))?.threshold).toBe(3.3);
    expect(bestF1(rankScores([4, 3, 2, 1], [1, 0, 0, 0]))?.threshold).toBe(4);
    expect(bestF1(rankScores([4, 3, 2, 1], [1, 1, 1, 1]))).toEqual({ f1: 1, threshold: 1 });
  });

  it('work on scores of any range and do not squash them', () => {
    const scores = [1e30, 1e30 + 1e20, 2e30, -1e30, Infinity, -Infinity];
    expect(areaUnderRoc(rankScores(scores, [0, 1, 1, 0, 1, 0]))).toBe(1);
  });

  it('count what stands at the threshold as defective', () => {
    expect(confusionAt(rankScores([0.7, 0.8, 0.1, 0.33, 0.5], [1, 1, 0, 0, 0]), 0.5)).toEqual({
      truePositives: 2,
      falsePositives: 1,
      falseNegatives: 0,
      trueNegatives: 2,
    });
  });

  it('are undefined for one class, for no image and for NaN, and never throw', () => {
    for (const labels of [[], [0, 0], [1, 1]]) {
      const ranking = rankScores(
        labels.map((_, index) => index),
        labels,
      );
      expect(areaUnderRoc(ranking)).toBeUndefined();
      expect(areaUnderPrecisionRecall(ranking)).toBeUndefined();
      expect(areaUnderPro(ranking)).toBeUndefined();
      expect(perRegionOverlapAt(ranking, 0)).toBeUndefined();
    }
    expect(bestF1(rankScores([1, 2], [0, 0]))).toBeUndefined();
    expect(f1At(rankScores([1, 2], [0, 0]), 1)).toBeUndefined();
    expect(f1At(rankScores([1, 2], [1, 1]), 3)).toBe(0);
    const broken = rankScores([1, NaN, 2], [0, 1, 1]);
    expect(broken.unranked).toBe(1);
    expect([areaUnderRoc(broken), bestF1(broken), f1At(broken, 1), quantileOfGood(broken, 0.5)]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect(() => rankScores([1], [])).toThrow(RangeError);
  });

  it('equal the definitions, also under ties', () => {
    fc.assert(
      fc.property(labelled, fc.integer({ min: -7, max: 7 }), ({ scores, labels }, quarter) => {
        const ranking = rankScores(scores, labels);
        expect(areaUnderRoc(ranking)).toBeCloseTo(naiveAuroc(scores, labels), 12);
        expect(areaUnderPrecisionRecall(ranking)).toBeCloseTo(naiveAupr(scores, labels), 12);
        const best = naiveBestF1(scores, labels);
        expect(bestF1(ranking)?.f1).toBeCloseTo(best.f1, 12);
        expect(bestF1(ranking)?.threshold).toBe(best.threshold);
        expect(f1At(ranking, quarter / 4)).toBeCloseTo(naiveF1(scores, labels, quarter / 4), 12);
      }),
    );
  });

  it('do not change under a monotone map, and AUROC turns around under negation', () => {
    fc.assert(
      fc.property(labelled, ({ scores, labels }) => {
        const area = areaUnderRoc(rankScores(scores, labels)) ?? NaN;
        const moved = rankScores(
          scores.map((score) => Math.exp(3 * score) - 5),
          labels,
        );
        expect(areaUnderRoc(moved)).toBe(area);
        expect(bestF1(moved)?.f1).toBe(bestF1(rankScores(scores, labels))?.f1);
        const turned = rankScores(
          scores.map((score) => -score),
          labels,
        );
        expect(areaUnderRoc(turned)).toBeCloseTo(1 - area, 12);
      }),
    );
  });

  it('gives one half when all scores tie', () => {
    expect(areaUnderRoc(rankScores([3, 3, 3, 3], [0, 1, 0, 1]))).toBe(0.5);
  });
});

describe('quantileOfGood', () => {
  it('is the order statistic that covers the share', () => {
    const ranking = rankScores([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 99], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    expect(quantileOfGood(ranking, 0.9)).toBe(9);
    expect(quantileOfGood(ranking, 0.91)).toBe(10);
    expect(quantileOfGood(ranking, 1)).toBe(10);
    expect(quantileOfGood(ranking, 0)).toBe(1);
    expect(quantileOfGood(rankScores([1], [1]), 0.5)).toBeUndefined();
  });
});
