import type { ImageReader, ImageSize } from '../data/image.js';
import { checkDataset, formatFindings } from '../data/check.js';
import type { LoadedDataset } from '../data/layouts/layout.js';
import { splitDataset, type Splits } from '../data/splits.js';
import { assumedAdapter } from '../engine/adapter.js';
import { TilesightError } from '../engine/errors.js';
import type { Gpu } from '../engine/gpu.js';
import type { VariantTable } from '../engine/plan.js';
import { planEnsemble, type EnsemblePlan } from '../ensemble/planning.js';
import type { RunConfiguration } from '../ensemble/configuration.js';
import type { AnomalyModel } from '../models/anomaly-model.js';
import { createBackbone } from '../models/backbones/index.js';
import { completeOptions, type ModelOptions } from '../models/definition.js';
import { modelDefinition } from '../models/index.js';
import { checkBackboneName, defaultBackbone, loadBackbone, type LoadedBackbone } from './backbone.js';
import { openDataset } from './datasets.js';
import { sha256File } from './files.js';
import { nodeImages } from './images.js';

/** Options of everything that configures an ensemble. */
export interface EnsembleOptions {
  model: string;
  /** The model's own options, by name; what is left out has its default. */
  modelOptions?: Readonly<Record<string, unknown>>;
  backbone?: string;
  weights?: string;
  imageSize?: ImageSize;
  tileSize?: ImageSize;
  stride?: ImageSize;
  batch?: number;
  seed: number;
  memory?: number;
  shared?: boolean;
  kernel?: Record<string, string>;
}

/** Options of the stages around the models. */
export interface StageOptions {
  window: 'mean' | 'smooth';
  seams: boolean;
  seamSigma: number;
  seamWidth: number;
  normalization: 'tile' | 'image' | 'none';
  threshold: 'tile' | 'image';
  score: 'maximum' | 'mean';
  validation: 'held-out' | 'from-test' | 'same-as-test';
  validationRatio?: number;
  imageQuantile: number;
  pixelQuantile: number;
}

/** Options that say which images. */
export interface DataOptions {
  data?: string;
  category?: string;
  normal?: string;
  abnormal?: string;
  masks?: string;
  limit?: number;
}

/** What long work tells and obeys. */
export interface Hooks {
  /** `done` of `total` of a stage is finished; `detail` is a few words. */
  readonly onProgress?: ((stage: string, done: number, total: number, detail?: string) => void) | undefined;
  /** Told what the user should know, a line each. */
  readonly onNote?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Loads the data set that the options name. */
export async function loadData(options: DataOptions & { seed?: number }, hooks: Hooks): Promise<LoadedDataset> {
  const { data, category, normal, abnormal, masks, seed } = options;
  if (data === undefined && normal === undefined) {
    throw new TilesightError(
      'usage',
      'no images: give --data (a data set or a folder) or --normal (a folder of good photographs)',
    );
  }
  if (data !== undefined && normal !== undefined) {
    throw new TilesightError('usage', '--data and --normal exclude each other: give one of them');
  }
  const dataset = await openDataset(data ?? '.', {
    ...(category !== undefined && { category }),
    ...(normal !== undefined && { normal }),
    ...(abnormal !== undefined && { abnormal }),
    ...(masks !== undefined && { masks }),
    ...(seed !== undefined && { seed }),
  });
  for (const note of dataset.notes) hooks.onNote?.(note);
  return dataset;
}

/** Checks a data set; prints what it finds and stops on errors. */
export async function checkData(dataset: LoadedDataset, hooks: Hooks, decode: boolean): Promise<void> {
  const result = await checkDataset(dataset, nodeImages, sha256File, {
    decode,
    onProgress: (done, total) => hooks.onProgress?.('checking', done, total),
  });
  for (const line of formatFindings(result)) hooks.onNote?.(line);
  if (result.errors > 0) {
    throw new TilesightError(
      'input',
      `${dataset.root}: the data set has the faults listed above: mend them and run again`,
    );
  }
}

/** The images of each split, by the validation rule. */
export function splitData(dataset: LoadedDataset, options: DataOptions & StageOptions & { seed: number }): Splits {
  return splitDataset(dataset, {
    validation: options.validation,
    ...(options.validationRatio !== undefined && { validationRatio: options.validationRatio }),
    seed: options.seed,
    ...(options.limit !== undefined && { limit: options.limit }),
  });
}

/** Size of the images when none is asked for: that of the first training image. */
export async function ownImageSize(splits: Splits, reader: ImageReader): Promise<ImageSize> {
  const [first] = splits.train;
  if (!first) throw new TilesightError('input', 'the data set has no training images');
  return reader.readSize(first.path);
}

/** A model made from the options, with its backbone. */
export interface ChosenModel {
  readonly model: AnomalyModel;
  readonly modelOptions: ModelOptions;
  readonly loaded: Omit<LoadedBackbone, 'file'>;
}

/** The model and backbone that the options name. `planning` leaves weights out where none are given. */
export async function chooseModel(
  options: EnsembleOptions,
  { planning = false, onNote }: { planning?: boolean } & Pick<Hooks, 'onNote'> = {},
): Promise<ChosenModel> {
  const definition = modelDefinition(options.model);
  const modelOptions = completeOptions(definition, options.modelOptions ?? {});
  const loaded =
    planning && options.weights === undefined
      ? { backbone: createBackbone(checkBackboneName(options.backbone ?? defaultBackbone), undefined), sha256: '' }
      : await loadBackbone(options.backbone, options.weights, onNote);
  return { model: definition.create(modelOptions), modelOptions, loaded };
}

/** Plans the ensemble that the options describe. Without a device for an adapter with WebGPU's guaranteed limits. */
export function makePlan(
  options: EnsembleOptions & Pick<StageOptions, 'seams' | 'seamSigma' | 'seamWidth'>,
  chosen: ChosenModel,
  imageSize: ImageSize,
  trainingImages: number,
  gpu?: Gpu,
  tuning?: VariantTable,
): EnsemblePlan {
  return planEnsemble({
    model: chosen.model,
    backbone: chosen.loaded.backbone,
    imageSize,
    tileSize: options.tileSize,
    stride: options.stride,
    batch: options.batch,
    shared: options.shared ?? false,
    seams: { apply: options.seams, sigma: options.seamSigma, width: options.seamWidth },
    seed: options.seed,
    trainingImages,
    adapter: gpu?.profile ?? assumedAdapter,
    kernels: options.kernel,
    tuning,
    budgetBytes: options.memory ?? Infinity,
  });
}

/** The configuration of a run, which its hash is made of. */
export function makeConfiguration(
  options: EnsembleOptions & StageOptions,
  chosen: ChosenModel,
  plan: EnsemblePlan,
  splits: Splits,
): RunConfiguration {
  return {
    model: options.model,
    modelOptions: chosen.modelOptions,
    backbone: chosen.loaded.backbone.name,
    weights: chosen.loaded.sha256,
    imageSize: plan.grid.image,
    tileSize: plan.grid.tile,
    stride: plan.grid.stride,
    batch: plan.setting.batch,
    seed: options.seed,
    shared: options.shared ?? false,
    window: options.window,
    seams: { apply: options.seams, sigma: options.seamSigma, width: options.seamWidth },
    normalization: options.normalization,
    threshold: options.threshold,
    score: options.score,
    validation: {
      split: options.validation,
      ratio: options.validationRatio ?? (options.validation === 'from-test' ? 0.5 : 0.1),
      imageQuantile: options.imageQuantile,
      pixelQuantile: options.pixelQuantile,
    },
    trainingImages: splits.train.map((sample) => sample.name),
  };
}
