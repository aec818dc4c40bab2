import type { Mask, ScoreMap } from '../data/image.js';
import { TilesightError } from '../engine/errors.js';
import { bestF1 } from '../metrics/f1.js';
import { quantileOfGood, type Ranking } from '../metrics/ranking.js';

/** How a threshold came about. */
export type ThresholdRule =
  /** Best F1 on labelled good and defective validation items. */
  | 'f1-adaptive'
  /** Just above a quantile of held-out good items, because there are no labelled defects. */
  | 'quantile'
  /** The lowest score of the defective items, because there are no good ones. */
  | 'lowest-defective'
  /** Given by the user. */
  | 'given';

/** A threshold with its origin. Items that score **at or above** it are called defective. */
export interface Threshold {
  readonly value: number;
  readonly rule: ThresholdRule;
  /** Share of the good items that stay below the threshold; only with the rule `quantile`. */
  readonly quantile?: number;
  /** Good and defective validation items that it was fitted on. */
  readonly good: number;
  readonly defective: number;
}

/** Share of held-out good images that stay below the image threshold where there are no defects to fit it on. */
export const DEFAULT_IMAGE_QUANTILE = 0.98;
/** Share of the pixels of held-out good images that stay below the pixel threshold where there are no defects to fit it on. */
export const DEFAULT_PIXEL_QUANTILE = 0.9999;

/**
 * Fits a threshold on validation items (images, or pixels by `PixelScores`).
 *
 * With good and defective items: the threshold of the best F1, the lowest on ties (the rule of the paper's reference
 * implementation). With good items only: the smallest 32-bit float above the given quantile of their scores, so that at least that
 * share of them is called good; never their minimum. With defective items only: the lowest of their scores.
 *
 * @param quantile share of good items that must stay below, in (0, 1]
 * @param what what is ranked, for messages
 * @throws TilesightError (input) without any item, (numbers) with a NaN among the scores
 */
export function fitThreshold(ranking: Ranking, quantile: number, what = 'validation'): Threshold {
  const { good, defective } = ranking;
  if (!(quantile > 0 && quantile <= 1)) {
    throw new TilesightError('usage', `The quantile for thresholds is ${quantile}: give a number above 0 and up to 1.`);
  }
  if (ranking.unranked > 0) {
    throw new TilesightError(
      'numbers',
      `A threshold cannot be fitted: ${ranking.unranked} ${what} scores are not numbers.`,
    );
  }
  if (good === 0 && defective === 0) {
    throw new TilesightError(
      'input',
      `A threshold cannot be fitted: there are no ${what} scores; hold out some good images or give the threshold.`,
    );
  }
  if (defective > 0) {
    // Without good items every threshold up to the lowest score has F1 1, and the lowest threshold wins ties.
    const value = bestF1(ranking)?.threshold ?? 0;
    return { value, rule: good > 0 ? 'f1-adaptive' : 'lowest-defective', good, defective };
  }
  return { value: justAbove(quantileOfGood(ranking, quantile) ?? 0), rule: 'quantile', quantile, good, defective };
}

/** A threshold that the user gives in place of a fitted one. */
export function givenThreshold(value: number): Threshold {
  if (!Number.isFinite(value)) {
    throw new TilesightError('usage', `The threshold ${value} is not a finite number.`);
  }
  return { value, rule: 'given', good: 0, defective: 0 };
}

/** How a threshold came about, in a phrase for reports. */
export function describeThreshold(threshold: Threshold): string {
  switch (threshold.rule) {
    case 'f1-adaptive':
      return `best F1 on ${threshold.good} good and ${threshold.defective} defective validation items`;
    case 'quantile':
      return `above ${(threshold.quantile ?? 0) * 100} % of ${threshold.good} good validation items`;
    case 'lowest-defective':
      return `lowest score of ${threshold.defective} defective validation items, there being no good ones`;
    case 'given':
      return 'given by the user';
  }
}

/** The pixels of a map that score at or above a threshold: 255 there, else 0. */
export function maskAtThreshold(map: ScoreMap, threshold: number): Mask {
  const data = new Uint8Array(map.data.length);
  for (let index = 0; index < data.length; index++) data[index] = (map.data[index] ?? 0) >= threshold ? 255 : 0;
  return { height: map.height, width: map.width, data };
}

/** The smallest 32-bit float above a number. */
function justAbove(value: number): number {
  const floats = new Float32Array([value]);
  const rounded = floats[0] ?? 0;
  if (rounded > value || rounded === Infinity) return rounded;
  // Neighbouring floats have neighbouring bit patterns; away from 0 for positive numbers, towards it for negative ones.
  const bits = new Int32Array(floats.buffer);
  bits[0] = rounded === 0 ? 1 : (bits[0] ?? 0) + (rounded > 0 ? 1 : -1);
  return floats[0] ?? 0;
}
