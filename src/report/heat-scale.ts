import type { TiledEnsemble } from '../ensemble/ensemble.js';
import type { HeatScale } from './heat-map.js';

/**
 * The colour scale of a run, the same for every image: with normalised maps 0 to 1; with raw ones from the lowest
 * validation value, so that the threshold stands in the middle.
 */
export function heatScale(ensemble: TiledEnsemble): HeatScale {
  if (ensemble.run.configuration.normalization !== 'none') return { low: 0, high: 1 };
  const low = ensemble.fittedStatistics?.pixel.minimum ?? 0;
  return { low, high: 2 * ensemble.thresholds.pixel - low };
}
