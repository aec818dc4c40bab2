import type { ImageReader, ImageSize, RgbImage, Sample } from '../src/data/image.js';
import type { Gpu } from '../src/engine/gpu.js';
import type { VariantTable } from '../src/engine/plan.js';
import type { Profiler } from '../src/engine/profiler.js';
import { elementCount, type NamedTensors } from '../src/engine/tensor.js';
import type { RunConfiguration } from '../src/ensemble/configuration.js';
import { TiledEnsemble } from '../src/ensemble/ensemble.js';
import { planEnsemble, type EnsemblePlan, type Residency } from '../src/ensemble/planning.js';
import { Run, type RunStorage } from '../src/ensemble/run.js';
import type { EnsembleStatistics } from '../src/ensemble/statistics.js';
import type { AnomalyModel } from '../src/models/anomaly-model.js';
import type { Backbone } from '../src/models/backbones/backbone.js';

/** What an ensemble is measured with. */
export interface SyntheticSetting {
  readonly model: AnomalyModel;
  readonly backbone: Backbone;
  /** Square sides in pixels. */
  readonly image: number;
  readonly tile: number;
  readonly stride: number;
  readonly batch: number;
  readonly tuning: VariantTable | undefined;
  readonly kernels: Readonly<Record<string, string>> | undefined;
  readonly resident: Residency;
}

const square = (side: number): ImageSize => ({ height: side, width: side });

/** The plan of an ensemble, made without a device. */
export function planSynthetic(gpu: Gpu, setting: SyntheticSetting): EnsemblePlan {
  return planEnsemble({
    model: setting.model,
    backbone: setting.backbone,
    imageSize: square(setting.image),
    tileSize: square(setting.tile),
    stride: square(setting.stride),
    batch: setting.batch,
    shared: false,
    seed: 42,
    trainingImages: trainingImages.length,
    adapter: gpu.profile,
    kernels: setting.kernels,
    tuning: setting.tuning,
    budgetBytes: Infinity,
  });
}

/** Names of the images that the made-up runs say they were trained on. */
export const trainingImages = ['first', 'second'] as const;

/**
 * An ensemble that was never fitted: its positions all have the same made-up parameters, one copy of them on the host, as
 * if their files had been read and checked. It predicts as any other, through the same code, uploads what any other
 * uploads, and is there at once whatever the grid.
 */
export async function syntheticEnsemble(
  gpu: Gpu,
  setting: SyntheticSetting,
  profiler?: Profiler,
): Promise<{ ensemble: TiledEnsemble; plan: EnsemblePlan }> {
  const plan = planSynthetic(gpu, setting);
  const run = await Run.start(memoryStorage(), configurationOf(setting, plan), gpu.profile.name);
  await run.writeJson('stats.json', madeUpStatistics);
  const parameters = madeUpParameters(setting.model, plan);
  run.readTensors = () => Promise.resolve(parameters);
  const ensemble = await TiledEnsemble.load({
    gpu,
    run,
    model: setting.model,
    backbone: setting.backbone,
    kernels: setting.kernels,
    tuning: setting.tuning,
    profiler,
    resident: setting.resident,
  });
  return { ensemble, plan };
}

function memoryStorage(): RunStorage {
  const files = new Map<string, Uint8Array>();
  return {
    location: 'memory',
    read: (name) => Promise.resolve(files.get(name)),
    write: (name, bytes) => {
      files.set(name, bytes);
      return Promise.resolve();
    },
    remove: (name) => {
      files.delete(name);
      return Promise.resolve();
    },
  };
}

/** Nothing is defective. */
const highest = {
  minimum: 0,
  maximum: 2e6,
  threshold: { value: 1e6, rule: 'given', good: 1, defective: 0 },
} as const;
const madeUpStatistics: EnsembleStatistics = { source: 'made up', maximum: highest, mean: highest, pixel: highest };

function madeUpParameters(model: AnomalyModel, plan: EnsemblePlan): NamedTensors {
  return new Map(
    [...model.parameterShapes(plan.setting)].map(([name, shape]) => [
      name,
      { shape, data: new Float32Array(elementCount(shape)).fill(0.01) },
    ]),
  );
}

function configurationOf(setting: SyntheticSetting, plan: EnsemblePlan): RunConfiguration {
  return {
    model: setting.model.name,
    modelOptions: {},
    backbone: setting.backbone.name,
    weights: '',
    imageSize: plan.grid.image,
    tileSize: plan.grid.tile,
    stride: plan.grid.stride,
    batch: plan.setting.batch,
    seed: 42,
    shared: false,
    window: 'mean',
    seams: { apply: true, sigma: 2, width: 0.1 },
    normalization: 'image',
    threshold: 'image',
    score: 'maximum',
    validation: { split: 'held-out', ratio: 0.1, imageQuantile: 0.98, pixelQuantile: 0.9999 },
    trainingImages,
  };
}

/** An image with something in it; what it shows does not matter for time and memory. */
export function flatImage({ height, width }: ImageSize, seed = 0): RgbImage {
  const data = new Uint8Array(height * width * 3);
  const period = 2 ** 16;
  for (let i = 0; i < Math.min(period, data.length); i++) data[i] = (i * 31 + seed * 17 + ((i >> 8) & 63)) & 255;
  for (let done = period; done < data.length; done *= 2) data.copyWithin(done, 0, Math.min(done, data.length - done));
  return { height, width, data };
}

/** A good sample of the given name. */
export function sample(name: string): Sample {
  return { name, path: name, label: 0, kind: 'good', maskPath: undefined };
}

/** Makes an image for whatever it is asked to read. */
export const flatReader: ImageReader = {
  readImage: (_path, size) => Promise.resolve(flatImage(size ?? square(256))),
  readMask: () => Promise.reject(new Error('there are no masks')),
  readSize: () => Promise.resolve(square(1)),
};
