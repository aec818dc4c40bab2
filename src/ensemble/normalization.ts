import { TilesightError } from '../engine/errors.js';

/**
 * Where scores are normalised: in each tile before merging (with that position's own statistics), on the merged image, or not at
 * all.
 */
export type NormalizationStage = 'tile' | 'image' | 'none';

/** What normalisation needs to know about scores of one kind (image scores, or map values), from the validation images. */
export interface ScoreStatistics {
  readonly minimum: number;
  readonly maximum: number;
  /** Scores at or above it are called defective. */
  readonly threshold: number;
}

/** The threshold after normalisation. */
export const NORMALIZED_THRESHOLD = 0.5;

/**
 * Normalises a score: clip((x − threshold) / (maximum − minimum) + ½, 0, 1), so that the threshold lands on ½. Scores that the
 * clipping moves to 0 or 1 tie afterwards; metrics are therefore better computed on raw scores. If all validation scores were the
 * same, what is at the threshold gives ½ and the rest 0 or 1.
 */
export function normalizeScore(score: number, statistics: ScoreStatistics): number {
  const { minimum, maximum, threshold } = statistics;
  const distance = score - threshold;
  const range = maximum - minimum;
  // 0 / 0 would be NaN; what is at the threshold is at the threshold however small the range.
  if (distance === 0) return NORMALIZED_THRESHOLD;
  return Math.min(1, Math.max(0, distance / range + NORMALIZED_THRESHOLD));
}

/** Normalises a map in place; see `normalizeScore`. */
export function normalizeMap(map: Float32Array, statistics: ScoreStatistics): void {
  for (let index = 0; index < map.length; index++) map[index] = normalizeScore(map[index] ?? 0, statistics);
}

/** Finds the extremes of any number of scores without keeping them. */
export class RangeOfScores {
  #minimum = Infinity;
  #maximum = -Infinity;

  /** Takes more scores into account; NaN makes `statistics` fail. */
  add(scores: ArrayLike<number>): void {
    let minimum = this.#minimum;
    let maximum = this.#maximum;
    for (let index = 0; index < scores.length; index++) {
      const score = scores[index] ?? 0;
      // Math.min and Math.max keep NaN.
      minimum = Math.min(minimum, score);
      maximum = Math.max(maximum, score);
    }
    this.#minimum = minimum;
    this.#maximum = maximum;
  }

  /**
   * The statistics for normalisation.
   *
   * @param threshold fitted threshold; the middle between the extremes when left out
   * @throws TilesightError (numbers) if there were no scores, or one that is not finite
   */
  statistics(threshold?: number): ScoreStatistics {
    const minimum = this.#minimum;
    const maximum = this.#maximum;
    if (!Number.isFinite(minimum) || !Number.isFinite(maximum)) {
      throw new TilesightError(
        'numbers',
        minimum === Infinity && maximum === -Infinity
          ? 'Scores cannot be normalised: there is no validation image to take their range from.'
          : 'Scores cannot be normalised: a validation score is not finite; check the validation images.',
      );
    }
    return { minimum, maximum, threshold: threshold ?? (minimum + maximum) / 2 };
  }
}
