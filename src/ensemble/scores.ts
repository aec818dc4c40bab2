import type { ScoreMap } from '../data/image.js';

/**
 * Which number is the score of an image: the largest value of its merged map, or the mean of its tiles' scores (the paper's). The
 * mean of many tiles hides a defect that only one of them sees.
 */
export type ImageScoreRule = 'maximum' | 'mean';

/** Both scores of an image. */
export interface ImageScores {
  /** Largest value of the merged map. */
  readonly maximum: number;
  /** Arithmetic mean of the scores of the tiles. */
  readonly mean: number;
}

/** Both scores of an image. A NaN among the values makes the score NaN. */
export function imageScores(map: ScoreMap, tileScores: ArrayLike<number>): ImageScores {
  return { maximum: largest(map.data), mean: meanOf(tileScores) };
}

/** The largest of some scores: NaN if one is, -Infinity if there is none. */
export function largest(scores: ArrayLike<number>): number {
  let maximum = -Infinity;
  for (let index = 0; index < scores.length; index++) {
    const score = scores[index] ?? 0;
    if (score > maximum) maximum = score;
    else if (Number.isNaN(score)) return NaN;
  }
  return maximum;
}

/** The arithmetic mean of some scores in 64-bit floats; NaN if there is none. */
export function meanOf(scores: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < scores.length; index++) sum += scores[index] ?? 0;
  return sum / scores.length;
}
