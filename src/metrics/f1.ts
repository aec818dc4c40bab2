import type { Ranking } from './ranking.js';

/** The best F1 over all thresholds, and the threshold that reaches it. */
export interface BestF1 {
  readonly f1: number;
  /** Items that score at or above it are called defective. */
  readonly threshold: number;
}

/** What a threshold does to a ranking; items that score at or above it are called defective. */
export interface Confusion {
  readonly truePositives: number;
  readonly falsePositives: number;
  readonly falseNegatives: number;
  readonly trueNegatives: number;
}

/** Counts hits and misses at a threshold. Unranked items (NaN) are left out: no threshold decides on them. */
export function confusionAt(ranking: Ranking, threshold: number): Confusion {
  let truePositives = 0;
  let falsePositives = 0;
  ranking.visit((score, good, defective) => {
    if (score < threshold) return;
    truePositives += defective;
    falsePositives += good;
  });
  return {
    truePositives,
    falsePositives,
    falseNegatives: ranking.defective - truePositives,
    trueNegatives: ranking.good - falsePositives,
  };
}

/**
 * F1 = 2·TP / (2·TP + FP + FN) where scores at or above the threshold are called defective.
 *
 * @returns undefined without a defective item (recall has no meaning) or with a NaN among the scores or as threshold
 */
export function f1At(ranking: Ranking, threshold: number): number | undefined {
  if (ranking.defective === 0 || ranking.unranked > 0 || Number.isNaN(threshold)) return undefined;
  const { truePositives, falsePositives } = confusionAt(ranking, threshold);
  return f1Of(truePositives, falsePositives, ranking.defective);
}

/**
 * The largest F1 that any threshold reaches (F1Max), and that threshold: one of the scores, the lowest on ties. These are the
 * rules of anomalib's F1-adaptive threshold, except that F1 is computed from the counts, so that equal values tie exactly.
 *
 * @returns undefined without a defective item or with a NaN among the scores
 */
export function bestF1(ranking: Ranking): BestF1 | undefined {
  if (ranking.defective === 0 || ranking.unranked > 0) return undefined;
  let truePositives = 0;
  let falsePositives = 0;
  let best = -1;
  let threshold = 0;
  ranking.visit((score, good, defective) => {
    truePositives += defective;
    falsePositives += good;
    const f1 = f1Of(truePositives, falsePositives, ranking.defective);
    if (f1 >= best) {
      best = f1;
      threshold = score;
    }
  });
  return { f1: best, threshold };
}

/**
 * Per-region overlap at one threshold: the mean over the defect regions of the share of their pixels that score at or above it.
 *
 * @returns undefined without a region or with a NaN among the scores
 */
export function perRegionOverlapAt(ranking: Ranking, threshold: number): number | undefined {
  if (ranking.regions === 0 || ranking.unranked > 0 || Number.isNaN(threshold)) return undefined;
  let share = 0;
  ranking.visit((score, _good, _defective, regionShare) => {
    if (score >= threshold) share += regionShare;
  });
  return Math.min(1, share / ranking.regions);
}

function f1Of(truePositives: number, falsePositives: number, defective: number): number {
  return (2 * truePositives) / (truePositives + falsePositives + defective);
}
