import { areaUnderPrecisionRecall, areaUnderPro, areaUnderRoc, tieBounds } from './areas.js';
import { bestF1, f1At, perRegionOverlapAt } from './f1.js';
import type { PixelScores } from './pixel-scores.js';
import { condensed, type Ranking } from './ranking.js';

/** Metrics of the image scores; undefined where the images do not define one (one class only, NaN scores). */
export interface ImageMetrics {
  readonly imageAUROC: number | undefined;
  readonly imageAUPR: number | undefined;
  /** F1 at the threshold that was fitted beforehand. */
  readonly imageF1: number | undefined;
  /** Best F1 over all thresholds of these very images: an upper bound, not a result. */
  readonly imageF1Max: number | undefined;
}

/** Metrics of the score maps; undefined where the masks do not define one (no defect, no good pixel, NaN scores). */
export interface PixelMetrics {
  readonly pixelAUROC: number | undefined;
  readonly pixelAUPR: number | undefined;
  /** Area under per-region overlap up to a false positive rate of 0.3. */
  readonly pixelAUPRO: number | undefined;
  /** F1 at the threshold that was fitted beforehand. */
  readonly pixelF1: number | undefined;
  readonly pixelF1Max: number | undefined;
  /** Mean recall of the defect regions at the threshold. */
  readonly pixelPRO: number | undefined;
  /** Largest error of AUROC and AUPRO from the limit on distinct values (see `PixelScores`); 0 when they are exact. */
  readonly errorBound: number;
}

/**
 * All image-level metrics of a test split.
 *
 * @param threshold images that score at or above it are called defective; undefined leaves F1 undefined
 */
export function imageMetrics(ranking: Ranking, threshold: number | undefined): ImageMetrics {
  return {
    imageAUROC: areaUnderRoc(ranking),
    imageAUPR: areaUnderPrecisionRecall(ranking),
    imageF1: threshold === undefined ? undefined : f1At(ranking, threshold),
    imageF1Max: bestF1(ranking)?.f1,
  };
}

/**
 * All pixel-level metrics of a test split.
 *
 * @param threshold pixels that score at or above it are called defective; undefined leaves F1 and PRO undefined
 */
export function pixelMetrics(scores: PixelScores, threshold: number | undefined): PixelMetrics {
  const levels = condensed(scores);
  const bounds = tieBounds(levels);
  return {
    pixelAUROC: areaUnderRoc(levels),
    pixelAUPR: areaUnderPrecisionRecall(levels),
    pixelAUPRO: areaUnderPro(levels),
    pixelF1: threshold === undefined ? undefined : f1At(scores, threshold),
    pixelF1Max: bestF1(levels)?.f1,
    pixelPRO: threshold === undefined ? undefined : perRegionOverlapAt(levels, threshold),
    errorBound: scores.droppedBits === 0 ? 0 : Math.max(bounds.areaUnderRoc, bounds.areaUnderPro),
  };
}
