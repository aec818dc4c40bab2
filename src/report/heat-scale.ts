import type { TiledEnsemble } from '../ensemble/ensemble.js';
import { NORMALIZED_THRESHOLD, type NormalizationStage } from '../ensemble/normalization.js';
import type { FittedStatistics } from '../ensemble/statistics.js';
import type { HeatScale } from './heat-map.js';

/**
 * The heat scale of a run, for `Prediction.map`: the same for every image, with the pixel threshold in the middle, so that
 * what is called defective is yellow to red and a good part stays blue to green. Normalised maps span 0 to 1; others start
 * at the lowest validation score.
 */
export function heatScale(ensemble: TiledEnsemble): HeatScale {
  const { fittedStatistics, thresholds, run } = ensemble;
  if (!fittedStatistics) throw new Error('the statistics are not fitted yet');
  return heatScaleOf(run.configuration.normalization, fittedStatistics.pixel, thresholds.pixel);
}

/** See {@link heatScale}. `threshold` is the raw one. */
export function heatScaleOf(
  normalization: NormalizationStage,
  { minimum, maximum }: Pick<FittedStatistics, 'minimum' | 'maximum'>,
  threshold: number,
): HeatScale {
  if (normalization === 'image') return { low: 0, high: 2 * NORMALIZED_THRESHOLD };
  // A threshold below all scores, or scores that are all the same, must still leave a scale.
  const half = Math.max(threshold - minimum, (maximum - minimum) / 4, Math.abs(threshold) * 1e-6, 1e-12);
  return { low: threshold - half, high: threshold + half };
}
