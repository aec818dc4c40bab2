import type { Mask, RgbImage, Sample, ScoreMap } from '../../src/data/image.js';
import { defectKinds, generateSample } from '../../src/data/synthetic.js';
import { defectBoxes } from '../../src/ensemble/boxes.js';
import type { RunConfiguration } from '../../src/ensemble/configuration.js';
import type { Prediction } from '../../src/ensemble/ensemble.js';
import type { EvaluatedImage, Evaluation } from '../../src/ensemble/evaluate.js';
import type { EnsembleStatistics } from '../../src/ensemble/statistics.js';
import { maskAtThreshold } from '../../src/ensemble/thresholds.js';
import { tileGrid } from '../../src/ensemble/tiling.js';
import { precisionRecallCurve, proCurve, rocCurve } from '../../src/metrics/curves.js';
import { PixelScores } from '../../src/metrics/pixel-scores.js';
import { condensed, rankScores } from '../../src/metrics/ranking.js';
import { imageMetrics, pixelMetrics } from '../../src/metrics/summary.js';
import { GalleryCollector, type GalleryLimits } from '../../src/report/gallery.js';
import { heatScaleOf } from '../../src/report/heat-scale.js';
import type { ImageEncoder, ReportInput } from '../../src/report/input.js';

/** A made-up image with its truth and what an imagined ensemble says about it. */
export interface MadeUpImage {
  readonly prediction: Prediction;
  readonly sample: Sample;
  readonly mask: Mask | undefined;
}

/** Thresholds of the imagined ensemble, in raw scores. */
export const thresholds = { image: 6, pixel: 5 };

/** Reproducible numbers between 0 and 1. */
export function createNoise(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A flat image without content, for tests that look at no pixels. */
export function flatImage(height: number, width: number, value = 120): RgbImage {
  return { height, width, data: new Uint8Array(height * width * 3).fill(value) };
}

/** A prediction from an image, its map and its label. */
export function madeUpPrediction(
  index: number,
  name: string,
  kind: string,
  label: 0 | 1 | undefined,
  image: RgbImage,
  map: ScoreMap,
  mask?: Mask,
): MadeUpImage {
  const maximum = map.data.reduce((most, value) => Math.max(most, value), -Infinity);
  const prediction: Prediction = {
    name,
    index,
    image,
    map,
    rawMap: map,
    rawScores: { maximum, mean: maximum * 0.6 },
    score: maximum,
    threshold: thresholds.image,
    anomalous: maximum >= thresholds.image,
    pixelThreshold: thresholds.pixel,
    mask: maskAtThreshold(map, thresholds.pixel),
    boxes: defectBoxes(map, { threshold: thresholds.pixel }),
  };
  return { prediction, sample: { name, path: name, label, kind, maskPath: undefined }, mask };
}

/** A map of scores around 3 with a soft hill of the given height over the mask. */
export function madeUpMap(mask: Mask, height: number, seed: number): ScoreMap {
  const noise = createNoise(seed);
  const coarse = Array.from({ length: 18 * 18 }, () => 2 + 2 * noise());
  const data = new Float32Array(mask.height * mask.width);
  const set: [number, number][] = [];
  mask.data.forEach((value, at) => {
    if (value > 0 && (at % 3 === 0 || set.length === 0)) set.push([Math.floor(at / mask.width), at % mask.width]);
  });
  const reach = Math.max(4, mask.width / 60);
  const at = (y: number, x: number): number => coarse[y * 18 + x] ?? 0;
  for (let y = 0; y < mask.height; y++) {
    for (let x = 0; x < mask.width; x++) {
      const [v, u] = [(y / mask.height) * 16, (x / mask.width) * 16];
      const [row, column] = [Math.floor(v), Math.floor(u)];
      const upper = at(row, column) * (column + 1 - u) + at(row, column + 1) * (u - column);
      const lower = at(row + 1, column) * (column + 1 - u) + at(row + 1, column + 1) * (u - column);
      data[y * mask.width + x] = upper * (row + 1 - v) + lower * (v - row);
    }
  }
  for (let y = 0; y < mask.height; y++) {
    for (let x = 0; x < mask.width && set.length > 0; x++) {
      let near = Infinity;
      for (const [row, column] of set) near = Math.min(near, (row - y) ** 2 + (column - x) ** 2);
      if (near < (4 * reach) ** 2) {
        const index = y * mask.width + x;
        data[index] = (data[index] ?? 0) + height * Math.exp(-near / (2 * reach * reach));
      }
    }
  }
  return { height: mask.height, width: mask.width, data };
}

/** Images of the synthetic board with imagined maps: some defects are missed, some good images alarm. */
export function madeUpBoards(good: number, defective: number, side: number): MadeUpImage[] {
  const noise = createNoise(7);
  return Array.from({ length: good + defective }, (_, index) => {
    const label = index < good ? 0 : 1;
    const defect = label === 1 ? defectKinds[index % defectKinds.length] : undefined;
    const size = { height: side, width: side };
    const { image, mask, kind } = generateSample({ seed: 3, index, size, ...(defect && { defect }) });
    const map = madeUpMap(mask, label === 1 ? 1.5 + noise() * 7 : 0, index + 1);
    if (label === 0 && index % 9 === 4) {
      const from = Math.floor(side * 0.4);
      for (let y = from; y < from + side / 24; y++) map.data.fill(6.4, y * side + from, y * side + from + side / 16);
    }
    const name = `test/${kind}/${String(index).padStart(3, '0')}.png`;
    return madeUpPrediction(index, name, kind, label, image, map, label === 1 ? mask : undefined);
  });
}

/** The evaluation of made-up images. */
export function madeUpEvaluation(all: readonly MadeUpImage[]): Evaluation {
  const pixels = new PixelScores();
  const images: EvaluatedImage[] = [];
  for (const { prediction, sample, mask } of all) {
    if (sample.label === undefined) continue;
    if (sample.label === 0 || mask) pixels.add(prediction.rawMap, mask);
    const { name, kind, label } = sample;
    images.push({ name, kind, label, ...prediction.rawScores, anomalous: prediction.anomalous });
  }
  const ranking = rankScores(
    images.map((image) => image.maximum),
    images.map((image) => image.label),
  );
  const levels = condensed(pixels);
  const metrics = imageMetrics(ranking, thresholds.image);
  return {
    metrics: { ...metrics, ...pixelMetrics(pixels, thresholds.pixel) },
    imageAUROC: { maximum: metrics.imageAUROC, mean: metrics.imageAUROC },
    thresholds,
    images,
    good: ranking.good,
    anomalous: ranking.defective,
    withoutMask: 0,
    curves: {
      roc: rocCurve(ranking),
      precisionRecall: precisionRecallCurve(ranking),
      pixelRoc: rocCurve(levels),
      pixelPrecisionRecall: precisionRecallCurve(levels),
      pro: proCurve(levels),
    },
  };
}

/** Device bytes of an imagined run: weights, a plateau for training, one for prediction. */
export function madeUpSamples(seconds: number): { time: number; bytes: number }[] {
  const mebibytes = [0, 9, 14, 38, 61, 74, 76, 74, 76, 74, 76, 74, 76, 74, 31, 52, 68, 70, 68, 70, 68, 70, 69];
  return mebibytes.map((value, index) => ({
    time: (index * seconds * 900) / mebibytes.length,
    bytes: value * 2 ** 20,
  }));
}

/** A report of made-up images; `changes` replaces parts of it. */
export function madeUpReport(
  all: readonly MadeUpImage[],
  encodeImage: ImageEncoder,
  changes: Partial<ReportInput> = {},
  limits: Partial<GalleryLimits> = {},
): ReportInput {
  const image = all[0]?.prediction.image ?? { height: 256, width: 256 };
  const size = { height: image.height, width: image.width };
  const tile = { height: Math.ceil(size.height / 4), width: Math.ceil(size.width / 4) };
  const grid = tileGrid({ image: size, tile });
  const configuration: RunConfiguration = {
    model: 'padim',
    modelOptions: { dimensions: 100, epsilon: 0.01 },
    backbone: 'mobilenet-v2',
    weights: '3b1f0c9d7a6e5f4433221100ffeeddccbbaa99887766554433221100aabbccdd',
    imageSize: size,
    tileSize: tile,
    stride: tile,
    batch: 8,
    seed: 42,
    shared: false,
    window: 'mean',
    seams: { apply: true, sigma: 2, width: 0.1 },
    normalization: 'none',
    threshold: 'image',
    score: 'maximum',
    validation: { split: 'held-out', ratio: 0.1, imageQuantile: 0.98, pixelQuantile: 0.9999 },
    trainingImages: Array.from({ length: 120 }, (_, index) => `train/good/${index}.png`),
  };
  const fitted = (value: number, quantile: number, good: number): EnsembleStatistics['pixel'] => ({
    minimum: 1.8,
    maximum: 5.1,
    threshold: { value, rule: 'quantile', quantile, good, defective: 0 },
  });
  const statistics: EnsembleStatistics = {
    source: 'good images held out of training',
    maximum: fitted(thresholds.image, 0.98, 12),
    mean: fitted(thresholds.image * 0.6, 0.98, 12),
    pixel: fitted(thresholds.pixel, 0.9999, 12 * size.height * size.width),
  };
  const collector = new GalleryCollector('maximum', limits);
  for (const { prediction, sample, mask } of all) collector.collect(prediction, sample, mask);
  return {
    title: 'board-run',
    date: new Date('2026-01-31T12:34:56Z'),
    version: '0.1.0',
    configuration,
    grid,
    statistics,
    thresholds,
    evaluation: madeUpEvaluation(all),
    predicted: 'test',
    gallery: collector.finish(),
    heatScale: heatScaleOf('none', statistics.pixel, thresholds.pixel),
    encodeImage,
    adapter: { name: 'Imaginary GPU 3000', type: 'gpu', features: ['shader-f16', 'subgroups', 'timestamp-query'] },
    driver: 'Imaginary driver 1.2.3',
    memory: {
      peakBytes: 76 * 2 ** 20,
      plannedBytes: 76.3 * 2 ** 20,
      budgetBytes: 128 * 2 ** 20,
      samples: madeUpSamples(41),
      peakByOwner: new Map([
        ['weights', 9 * 2 ** 20],
        ['activations', 52 * 2 ** 20],
        ['slots', 15 * 2 ** 20],
      ]),
    },
    seconds: { decode: 4.2, train: 18.4, predict: 16.1, total: 41 },
    spans: [],
    losses: new Map(),
    notes: [],
    ...changes,
  };
}

/** Loss curves that fall with noise. */
export function madeUpLosses(positions: number, steps: number): Map<string, number[]> {
  const noise = createNoise(11);
  return new Map(
    Array.from({ length: positions }, (_, position) => [
      `row ${Math.floor(position / 4) + 1}, column ${(position % 4) + 1}`,
      Array.from({ length: steps }, (_, step) => 3 * Math.exp(-step / 60) + 0.4 + 0.2 * noise() + 0.05 * position),
    ]),
  );
}
