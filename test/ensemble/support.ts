import type { ImageReader, RgbImage, Sample } from '../../src/data/image.js';
import { generateSample, type DefectKind } from '../../src/data/synthetic.js';
import type { Gpu } from '../../src/engine/gpu.js';
import type { RunConfiguration } from '../../src/ensemble/configuration.js';
import { planEnsemble, type EnsemblePlan } from '../../src/ensemble/planning.js';
import type { RunStorage } from '../../src/ensemble/run.js';
import { trainEnsemble, type TrainOptions, type TrainResult } from '../../src/ensemble/train.js';
import type { AnomalyModel } from '../../src/models/anomaly-model.js';
import { createPadim } from '../../src/models/padim.js';
import { tinyBackbone } from '../models/tiny-backbone.js';

/** A run in memory; `files` can be looked at and damaged. */
export function memoryStorage(): RunStorage & { readonly files: Map<string, Uint8Array> } {
  const files = new Map<string, Uint8Array>();
  return {
    location: 'memory',
    files,
    read: (name) => Promise.resolve(files.get(name)),
    write: (name, bytes) => {
      files.set(name, bytes.slice());
      return Promise.resolve();
    },
    remove: (name) => {
      files.delete(name);
      return Promise.resolve();
    },
  };
}

/** A small synthetic data set in memory: boards of 96 x 80 pixels. */
export const imageSize = { height: 96, width: 80 };

/** `good:3` is a good image, `blob:7` a defective one; both the image and its mask. */
export function sampleOf(kind: 'good' | DefectKind, index: number): Sample {
  const path = `${kind}:${index}`;
  return { name: path, path, label: kind === 'good' ? 0 : 1, kind, maskPath: kind === 'good' ? undefined : path };
}

function draw(path: string, size = imageSize): ReturnType<typeof generateSample> {
  const [kind, index] = path.split(':');
  const defect = kind === 'good' ? undefined : (kind as DefectKind);
  return generateSample({ seed: 1, index: Number(index), size, ...(defect && { defect }), maxDefectPixels: 16 });
}

/** Draws what it is asked to read. */
export const drawingReader: ImageReader = {
  readImage: (path, size) => Promise.resolve(draw(path, size).image),
  readMask: (path, size) => Promise.resolve(draw(path, size).mask),
  readSize: () => Promise.resolve(imageSize),
};

/** The image that {@link drawingReader} reads. */
export function drawImage(path: string): RgbImage {
  return draw(path).image;
}

export const trainSamples = Array.from({ length: 10 }, (_, index) => sampleOf('good', index));
export const heldOutSamples = Array.from({ length: 4 }, (_, index) => sampleOf('good', 100 + index));
export const testSamples = [
  ...Array.from({ length: 4 }, (_, index) => sampleOf('good', 200 + index)),
  ...Array.from({ length: 4 }, (_, index) => sampleOf('blob', 300 + index)),
];

/** A configuration of the paper's defaults for the given tiles. */
export function configurationOf(
  tile: { height: number; width: number },
  stride = tile,
  changes: Partial<RunConfiguration> = {},
): RunConfiguration {
  return {
    model: 'padim',
    modelOptions: {},
    backbone: 'resnet18',
    weights: 'tiny',
    imageSize,
    tileSize: tile,
    stride,
    batch: 3,
    seed: 42,
    shared: false,
    window: 'mean',
    seams: { apply: true, sigma: 1, width: 0.1 },
    normalization: 'image',
    threshold: 'image',
    score: 'maximum',
    validation: { split: 'held-out', ratio: 0.1, imageQuantile: 0.98, pixelQuantile: 0.999 },
    trainingImages: trainSamples.map((sample) => sample.name),
    ...changes,
  };
}

export const tinyModel = (): AnomalyModel => createPadim({ dimensions: 8, sigma: 1 });

/** Plans a configuration with the tiny backbone. */
export function planOf(
  gpu: Gpu,
  configuration: RunConfiguration,
  model = tinyModel(),
  budgetBytes = Infinity,
): EnsemblePlan {
  return planEnsemble({
    model,
    backbone: tinyBackbone(),
    imageSize: configuration.imageSize,
    tileSize: configuration.tileSize,
    stride: configuration.stride,
    batch: configuration.batch,
    shared: configuration.shared,
    seams: configuration.seams,
    seed: configuration.seed,
    trainingImages: configuration.trainingImages.length,
    adapter: gpu.profile,
    budgetBytes,
  });
}

/** Trains the tiny ensemble of a configuration. */
export function trainTiny(
  gpu: Gpu,
  storage: RunStorage,
  configuration: RunConfiguration,
  changes: Partial<TrainOptions> = {},
): Promise<TrainResult> {
  const model = changes.model ?? tinyModel();
  return trainEnsemble({
    gpu,
    storage,
    model,
    backbone: tinyBackbone(),
    configuration,
    plan: planOf(gpu, configuration, model),
    train: trainSamples,
    validation: heldOutSamples,
    validationSource: 'good images held out of training',
    reader: drawingReader,
    ...changes,
  });
}
