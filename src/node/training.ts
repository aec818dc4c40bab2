import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { formatBytes } from '../engine/memory.js';
import { Profiler } from '../engine/profiler.js';
import { evaluateEnsemble, type Evaluation } from '../ensemble/evaluate.js';
import type { Prediction, TiledEnsemble } from '../ensemble/ensemble.js';
import { formatImageSize, type Mask, type Sample } from '../data/image.js';
import type { EnsemblePlan } from '../ensemble/planning.js';
import { DEFAULT_IMAGE_QUANTILE, DEFAULT_PIXEL_QUANTILE } from '../ensemble/thresholds.js';
import { trainEnsemble } from '../ensemble/train.js';
import { openGpu } from './gpu.js';
import { writeFileAtomic } from './files.js';
import { nodeImages } from './images.js';
import { acquireLock, type Lock } from './lock.js';
import { folderStorage, openSpillFile } from './run-storage.js';
import type { RunLog } from './open-run.js';
import {
  type DataOptions,
  type EnsembleOptions,
  type Hooks,
  type StageOptions,
  checkData,
  chooseModel,
  loadData,
  makeConfiguration,
  makePlan,
  ownImageSize,
  splitData,
} from './setup.js';
import { loadTuning } from './tuning.js';
import type { Gpu } from '../engine/gpu.js';
import type { Splits } from '../data/splits.js';

/** Options of a training run. */
export interface TrainingOptions extends EnsembleOptions, StageOptions, DataOptions {
  out: string;
  check: boolean;
  profile?: boolean;
}

/** What the command line takes where nothing is given; a library's caller spreads it and adds `data` and `out`. */
export const defaultTraining = {
  model: 'padim',
  seed: 42,
  window: 'mean',
  seams: true,
  seamSigma: 2,
  seamWidth: 0.1,
  normalization: 'image',
  threshold: 'image',
  score: 'maximum',
  validation: 'held-out',
  imageQuantile: DEFAULT_IMAGE_QUANTILE,
  pixelQuantile: DEFAULT_PIXEL_QUANTILE,
  check: true,
} as const satisfies Omit<TrainingOptions, 'out'>;

/** The JSON that `train`, `eval` and `demo` print. */
export interface RunSummary {
  readonly model: string;
  readonly backbone: string;
  readonly imageSize: readonly [number, number];
  readonly tileSize: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly grid: readonly [number, number];
  readonly images: { readonly train: number; readonly good: number; readonly anomalous: number };
  readonly metrics: Readonly<Record<string, number | null>>;
  readonly thresholds: { readonly image: number; readonly pixel: number; readonly source: string };
  readonly memory: { readonly peakBytes: number; readonly plannedBytes: number; readonly budgetBytes: number | null };
  readonly seconds: {
    readonly decode: number;
    readonly train: number;
    readonly predict: number;
    readonly total: number;
  };
  readonly adapter: { readonly name: string; readonly type: string; readonly features: readonly string[] };
  readonly run: string;
}

/** Sees each prediction of an evaluation with its truth. */
export type PredictionObserver = (
  prediction: Prediction,
  sample: Sample,
  mask: Mask | undefined,
) => Promise<void> | void;

/** Hooks of a run: those of any long work, and a view of the evaluated predictions. */
export interface RunHooks extends Hooks {
  /** Makes an observer of the test predictions, for galleries and overlays. */
  readonly observe?: ((ensemble: TiledEnsemble) => PredictionObserver) | undefined;
}

/** A finished training run. The caller destroys `ensemble` and then `gpu`. */
export interface TrainingOutcome {
  readonly summary: RunSummary;
  readonly evaluation: Evaluation | undefined;
  readonly ensemble: TiledEnsemble;
  readonly gpu: Gpu;
  /** @internal The images of each split. */
  readonly splits: Splits;
  /** @internal Where the time went, with the option `profile`. */
  readonly profiler: Profiler | undefined;
  /** What the hooks were told, a line each. */
  readonly notes: readonly string[];
}

/** Trains into a run folder, evaluates where there is a labelled test split, and writes metrics and log. */
export async function train(options: TrainingOptions, hooks: RunHooks = {}): Promise<TrainingOutcome> {
  const begun = performance.now();
  const notes: string[] = [];
  const note = (line: string): void => {
    notes.push(line);
    hooks.onNote?.(line);
  };
  const own: Hooks = { ...hooks, onNote: note };
  const dataset = await loadData(options, own);
  if (options.check) await checkData(dataset, own, false);
  const splits = splitData(dataset, options);
  const imageSize = options.imageSize ?? (await ownImageSize(splits, nodeImages));
  const chosen = await chooseModel(options, { onNote: hooks.onNote });
  const gpu = await openGpu({ ...(options.memory !== undefined && { memoryBudgetBytes: options.memory }) });
  let lock: Lock | undefined;
  try {
    const tuning = await loadTuning(gpu, note);
    const plan = makePlan(options, chosen, imageSize, splits.train.length, gpu, tuning);
    describePlan(plan, options.memory).forEach(note);

    await mkdir(options.out, { recursive: true });
    lock = acquireLock(options.out);
    const profiler = options.profile ? new Profiler(gpu) : undefined;
    const result = await trainEnsemble({
      gpu,
      storage: folderStorage(options.out),
      model: chosen.model,
      backbone: chosen.loaded.backbone,
      configuration: makeConfiguration(options, chosen, plan, splits),
      plan,
      train: splits.train,
      validation: splits.validation,
      validationSource: splits.validationSource,
      reader: nodeImages,
      openSpill: () => openSpillFile(join(options.out, 'tmp')),
      kernels: options.kernel,
      tuning,
      profiler,
      signal: hooks.signal,
      onDecode: (done, total) => hooks.onProgress?.('decoding', done, total),
      onFit: ({ position, positions, stage, done, total, loss }) => {
        hooks.onProgress?.('positions', position, positions);
        const detail = loss === undefined ? `position ${position + 1}` : `loss ${loss.toPrecision(4)}`;
        hooks.onProgress?.(stage, done, total, detail);
      },
      onValidate: (done, total) => hooks.onProgress?.('validating', done, total),
      onNote: note,
    });
    result.report.notes.filter((line) => !notes.includes(line)).forEach(note);
    const { ensemble } = result;
    const started = performance.now();
    const evaluation = await evaluateTest(ensemble, splits, hooks);
    const predict = (performance.now() - started) / 1000;
    const seconds = { ...result.seconds, predict, total: (performance.now() - begun) / 1000 };
    const summary = summarize(ensemble, evaluation, plan, gpu, options.memory, seconds, options.out);
    await writeResults(options.out, summary, evaluation, gpu, options);
    return { summary, evaluation, ensemble, gpu, splits, profiler, notes };
  } catch (error) {
    gpu.destroy();
    throw error;
  } finally {
    lock?.release();
  }
}

/** Evaluates the test split; undefined where it has no labelled images. */
export async function evaluateTest(
  ensemble: TiledEnsemble,
  splits: Pick<Splits, 'test'>,
  hooks: RunHooks,
): Promise<Evaluation | undefined> {
  if (splits.test.every((sample) => sample.label === undefined)) return undefined;
  return evaluateEnsemble(ensemble, splits.test, nodeImages, {
    signal: hooks.signal,
    onProgress: (done, total) => hooks.onProgress?.('predicting', done, total),
    onPrediction: hooks.observe?.(ensemble),
  });
}

/** What a plan chose and will take, in lines. */
export function describePlan(plan: EnsemblePlan, budget: number | undefined): string[] {
  const { grid, setting } = plan;
  const memory = `device memory ${formatBytes(plan.plannedBytes)}${budget === undefined ? '' : ` of ${formatBytes(budget)}`}`;
  return [
    `image ${formatImageSize(grid.image)}, tile ${formatImageSize(grid.tile)}, stride ${formatImageSize(grid.stride)}: ` +
      `${grid.rows}x${grid.columns} tiles, batch ${setting.batch}; ${memory}; run ${formatBytes(plan.runBytes)}`,
    ...plan.notes,
  ];
}

/** The JSON summary of a run. */
export function summarize(
  ensemble: TiledEnsemble,
  evaluation: Evaluation | undefined,
  plan: EnsemblePlan | undefined,
  gpu: Gpu,
  budget: number | undefined,
  seconds: RunSummary['seconds'],
  run: string,
): RunSummary {
  const { configuration } = ensemble.run;
  const { grid } = ensemble;
  const pair = ({ height, width }: { height: number; width: number }): [number, number] => [height, width];
  const { imageAUROC, imageF1, pixelAUROC, pixelAUPRO, pixelF1, imageF1Max, pixelF1Max, imageAUPR, pixelAUPR } =
    evaluation?.metrics ?? {};
  const metrics = {
    imageAUROC,
    imageF1,
    pixelAUROC,
    pixelAUPRO,
    pixelF1,
    imageF1Max,
    pixelF1Max,
    imageAUPR,
    pixelAUPR,
  };
  const both = {
    imageAUROCMaximum: evaluation?.imageAUROC.maximum,
    imageAUROCMean: evaluation?.imageAUROC.mean,
  };
  return {
    model: configuration.model,
    backbone: configuration.backbone,
    imageSize: pair(configuration.imageSize),
    tileSize: pair(configuration.tileSize),
    stride: pair(configuration.stride),
    grid: [grid.rows, grid.columns],
    images: {
      train: configuration.trainingImages.length,
      good: evaluation?.good ?? 0,
      anomalous: evaluation?.anomalous ?? 0,
    },
    metrics: Object.fromEntries(Object.entries({ ...metrics, ...both }).map(([name, value]) => [name, value ?? null])),
    thresholds: { ...ensemble.thresholds, source: ensemble.fittedStatistics?.source ?? '' },
    memory: {
      peakBytes: gpu.memory.peakBytes,
      plannedBytes: plan?.plannedBytes ?? ensemble.plannedBytes,
      budgetBytes: budget ?? null,
    },
    seconds,
    adapter: { name: gpu.profile.name, type: gpu.profile.class, features: [...gpu.profile.features] },
    run,
  };
}

/** Writes `metrics.json` (results) and `log.json` (what this machine took for them). */
export async function writeResults(
  out: string,
  summary: RunSummary,
  evaluation: Evaluation | undefined,
  gpu: Gpu,
  inputs: RunLog,
): Promise<void> {
  if (evaluation) {
    await writeFileAtomic(
      join(out, 'metrics.json'),
      `${JSON.stringify({ ...evaluation, metrics: summary.metrics }, undefined, 1)}\n`,
    );
  }
  const { seconds, memory, adapter } = summary;
  const { data, category, normal, abnormal, masks, weights } = inputs;
  const absolute = (path: string | undefined): string | undefined => (path === undefined ? undefined : resolve(path));
  const log = {
    date: new Date().toISOString(),
    inputs: {
      data: absolute(data),
      category,
      normal: absolute(normal),
      abnormal: absolute(abnormal),
      masks: absolute(masks),
      weights: absolute(weights),
    },
    seconds,
    memory,
    adapter,
    driver: gpu.driver,
    deviceBytes: gpu.memory.samples,
  };
  await writeFileAtomic(join(out, 'log.json'), `${JSON.stringify(log)}\n`);
}
