import type { ImageReader, Mask, Sample } from '../data/image.js';
import { precisionRecallCurve, proCurve, rocCurve, type Curve } from '../metrics/curves.js';
import { PixelScores } from '../metrics/pixel-scores.js';
import { condensed, rankScores } from '../metrics/ranking.js';
import { imageMetrics, pixelMetrics, type ImageMetrics, type PixelMetrics } from '../metrics/summary.js';
import type { Prediction, TiledEnsemble } from './ensemble.js';
import type { PredictionInput } from './predict.js';

/** One image of an evaluated test split. */
export interface EvaluatedImage {
  readonly name: string;
  readonly kind: string;
  readonly label: 0 | 1;
  /** Raw scores: largest value of the merged map, and mean of the tiles' scores. */
  readonly maximum: number;
  readonly mean: number;
  readonly anomalous: boolean;
}

/** Metrics of a labelled test split, on raw scores: normalisation clips, and clipped scores tie. */
export interface Evaluation {
  /** By the run's score rule. */
  readonly metrics: ImageMetrics & PixelMetrics;
  /** Image AUROC by either score rule. */
  readonly imageAUROC: { readonly maximum: number | undefined; readonly mean: number | undefined };
  readonly thresholds: { readonly image: number; readonly pixel: number };
  readonly images: readonly EvaluatedImage[];
  readonly good: number;
  readonly anomalous: number;
  /** Anomalous images without ground truth, whose pixels do not count. */
  readonly withoutMask: number;
  readonly curves: {
    readonly roc: Curve | undefined;
    readonly precisionRecall: Curve | undefined;
    readonly pixelRoc: Curve | undefined;
    readonly pixelPrecisionRecall: Curve | undefined;
    readonly pro: Curve | undefined;
  };
}

/** Scores a labelled test split, image after image in bounded memory. Unlabelled images are left out. */
export async function evaluateEnsemble(
  ensemble: TiledEnsemble,
  samples: readonly Sample[],
  reader: ImageReader,
  options: {
    signal?: AbortSignal | undefined;
    onProgress?: ((done: number, total: number) => void) | undefined;
    /** Sees each prediction with its truth; for overlays and galleries. */
    onPrediction?:
      ((prediction: Prediction, sample: Sample, mask: Mask | undefined) => Promise<void> | void) | undefined;
  } = {},
): Promise<Evaluation> {
  const { imageSize, score } = ensemble.run.configuration;
  const labelled = samples.filter((sample) => sample.label !== undefined);
  const masks = new Map<number, Mask | undefined>();
  const inputs = labelled.map((sample, index): PredictionInput => ({
    name: sample.name,
    read: async () => {
      masks.set(index, sample.maskPath === undefined ? undefined : await reader.readMask(sample.maskPath, imageSize));
      return reader.readImage(sample.path, imageSize);
    },
  }));
  const pixels = new PixelScores();
  const images: EvaluatedImage[] = [];
  let withoutMask = 0;
  for await (const prediction of ensemble.predictMany(inputs, options.signal)) {
    const sample = labelled[prediction.index];
    const label = sample?.label;
    if (!sample || label === undefined) continue;
    const mask = masks.get(prediction.index);
    masks.delete(prediction.index);
    if (label === 0 || mask) pixels.add(prediction.rawMap, mask);
    else withoutMask += 1;
    const { maximum, mean } = prediction.rawScores;
    images.push({ name: sample.name, kind: sample.kind, label, maximum, mean, anomalous: prediction.anomalous });
    await options.onPrediction?.(prediction, sample, mask);
    options.onProgress?.(images.length, labelled.length);
  }
  const labels = images.map((image) => image.label);
  const ranking = (rule: 'maximum' | 'mean'): ReturnType<typeof rankScores> =>
    rankScores(
      images.map((image) => image[rule]),
      labels,
    );
  const byRule = { maximum: ranking('maximum'), mean: ranking('mean') };
  const { thresholds } = ensemble;
  const levels = condensed(pixels);
  return {
    metrics: { ...imageMetrics(byRule[score], thresholds.image), ...pixelMetrics(pixels, thresholds.pixel) },
    imageAUROC: {
      maximum: imageMetrics(byRule.maximum, undefined).imageAUROC,
      mean: imageMetrics(byRule.mean, undefined).imageAUROC,
    },
    thresholds,
    images,
    good: labels.filter((label) => label === 0).length,
    anomalous: labels.filter((label) => label === 1).length,
    withoutMask,
    curves: {
      roc: rocCurve(byRule[score]),
      precisionRecall: precisionRecallCurve(byRule[score]),
      pixelRoc: rocCurve(levels),
      pixelPrecisionRecall: precisionRecallCurve(levels),
      pro: proCurve(levels),
    },
  };
}
