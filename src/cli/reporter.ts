import type { TiledEnsemble } from '../ensemble/ensemble.js';
import type { PredictionObserver, TrainingOutcome } from '../node/training.js';
import type { GalleryCollector } from '../report/gallery.js';
import { createGallery, writeReport } from './report.js';

/** Collects a run's gallery while its test split is evaluated, and writes the report afterwards. */
export interface Reporter {
  readonly observe: (ensemble: TiledEnsemble) => PredictionObserver;
  readonly write: (
    outcome: Pick<TrainingOutcome, 'summary' | 'ensemble' | 'evaluation' | 'gpu' | 'profiler' | 'notes'> &
      Partial<Pick<TrainingOutcome, 'splits'>>,
  ) => Promise<string>;
}

/** A reporter for one run. */
export function createReporter(): Reporter {
  let gallery: GalleryCollector | undefined;
  return {
    observe: (ensemble) => {
      const collector = createGallery(ensemble);
      gallery = collector;
      return (prediction, sample, mask) => collector.collect(prediction, sample, mask);
    },
    write: ({ summary, ensemble, evaluation, gpu, profiler, notes, splits }) =>
      writeReport({
        run: summary.run,
        summary,
        ensemble,
        evaluation,
        gallery: gallery ?? createGallery(ensemble),
        gpu,
        profiler,
        notes,
        splits,
      }),
  };
}
