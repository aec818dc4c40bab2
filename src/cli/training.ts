import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { formatBytes } from '../engine/memory.js';
import { chromeTrace, Profiler, summarise } from '../engine/profiler.js';
import { evaluateEnsemble, type Evaluation } from '../ensemble/evaluate.js';
import type { TiledEnsemble } from '../ensemble/ensemble.js';
import type { EnsemblePlan } from '../ensemble/planning.js';
import { trainEnsemble, type TrainResult } from '../ensemble/train.js';
import { openGpu } from '../node/gpu.js';
import { writeFileAtomic } from '../node/files.js';
import { nodeImages } from '../node/images.js';
import { acquireLock } from '../node/lock.js';
import { folderStorage, openSpillFile } from '../node/run-storage.js';
import type { DataOptions, EnsembleOptions, StageOptions } from './ensemble-options.js';
import type { RunLog } from './open-run.js';
import { checkData, chooseModel, loadData, makeConfiguration, makePlan, ownImageSize, splitData } from './setup.js';
import { remark, type Progress } from './terminal.js';
import { loadTuning } from './tuning.js';
import { formatSize } from './values.js';
import type { Gpu } from '../engine/gpu.js';
import type { Splits } from '../data/splits.js';

/** Options of a training run. */
export interface TrainingOptions extends EnsembleOptions, StageOptions, DataOptions {
  out: string;
  check: boolean;
  profile?: boolean;
}

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

/** A finished training run. */
export interface TrainingOutcome {
  readonly summary: RunSummary;
  readonly evaluation: Evaluation | undefined;
  readonly result: TrainResult;
  readonly plan: EnsemblePlan;
  readonly splits: Splits;
  readonly gpu: Gpu;
}

/** Trains into a run folder, evaluates where there is a labelled test split, and writes metrics and log. */
export async function runTraining(
  options: TrainingOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<TrainingOutcome> {
  const begun = performance.now();
  const dataset = await loadData(options);
  if (options.check) await checkData(dataset, progress, false);
  const splits = splitData(dataset, options);
  const imageSize = options.imageSize ?? (await ownImageSize(splits, nodeImages));
  const chosen = await chooseModel(options);
  const gpu = await openGpu({ ...(options.memory !== undefined && { memoryBudgetBytes: options.memory }) });
  const tuning = await loadTuning(gpu);
  const plan = makePlan(options, chosen, imageSize, splits.train.length, gpu, tuning);
  describePlan(plan, options.memory).forEach(remark);

  await mkdir(options.out, { recursive: true });
  const lock = acquireLock(options.out);
  try {
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
      signal,
      onDecode: (done, total) => progress.update('decoding', done, total),
      onFit: ({ position, positions, stage, done, total, loss }) => {
        progress.update('positions', position, positions);
        progress.update(
          stage,
          done,
          total,
          loss === undefined ? `position ${position + 1}` : `loss ${loss.toPrecision(4)}`,
        );
      },
      onValidate: (done, total) => progress.update('validating', done, total),
      onNote: (line) => remark(`note: ${line}`),
    });
    result.report.notes.forEach((line) => remark(`note: ${line}`));
    const started = performance.now();
    const evaluation = await evaluateTest(result.ensemble, splits, progress, signal);
    const predict = (performance.now() - started) / 1000;
    const seconds = { ...result.seconds, predict, total: (performance.now() - begun) / 1000 };
    const summary = summarize(result.ensemble, evaluation, plan, gpu, options.memory, seconds, options.out);
    await writeResults(options.out, summary, evaluation, gpu, options);
    if (profiler) await writeProfile(profiler, join(options.out, 'profile.json'));
    return { summary, evaluation, result, plan, splits, gpu };
  } finally {
    lock.release();
  }
}

/** Evaluates the test split; undefined, with a remark, where it has no labelled images. */
export async function evaluateTest(
  ensemble: TiledEnsemble,
  splits: Pick<Splits, 'test'>,
  progress: Progress,
  signal: AbortSignal,
  onPrediction?: Parameters<typeof evaluateEnsemble>[3] extends infer O
    ? O extends { onPrediction?: infer P }
      ? P
      : never
    : never,
): Promise<Evaluation | undefined> {
  if (splits.test.every((sample) => sample.label === undefined)) return undefined;
  return evaluateEnsemble(ensemble, splits.test, nodeImages, {
    signal,
    onProgress: (done, total) => progress.update('predicting', done, total),
    onPrediction,
  });
}

/** What a plan chose and will take, in lines. */
export function describePlan(plan: EnsemblePlan, budget: number | undefined): string[] {
  const { grid, setting } = plan;
  const memory = `device memory ${formatBytes(plan.plannedBytes)}${budget === undefined ? '' : ` of ${formatBytes(budget)}`}`;
  return [
    `image ${formatSize(grid.image)}, tile ${formatSize(grid.tile)}, stride ${formatSize(grid.stride)}: ` +
      `${grid.rows}x${grid.columns} tiles, batch ${setting.batch}; ${memory}; run ${formatBytes(plan.runBytes)}`,
    ...plan.notes.map((note) => `note: ${note}`),
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

/** Writes a trace for Chrome's or Perfetto's viewer and prints where the time went. */
export async function writeProfile(profiler: Profiler, file: string): Promise<void> {
  const spans = await profiler.finish();
  await writeFileAtomic(file, JSON.stringify(chromeTrace(spans)));
  for (const track of ['host', 'device'] as const) {
    remark(`time on the ${track}:`);
    for (const { name, milliseconds, count } of summarise(spans, track).slice(0, 20)) {
      remark(`  ${milliseconds.toFixed(1).padStart(10)} ms  ${String(count).padStart(6)} x  ${name}`);
    }
  }
  remark(`trace: ${file} (open it in chrome://tracing or ui.perfetto.dev)`);
}

/** A summary for people. */
export function summaryLines(summary: RunSummary): string[] {
  const { metrics, images, memory, seconds, thresholds } = summary;
  const figure = (name: string): string => {
    const value = metrics[name];
    return value === null || value === undefined ? '–' : value.toFixed(4);
  };
  const tested = images.good + images.anomalous;
  return [
    `${summary.model} on ${summary.backbone}: ${summary.grid.join('x')} tiles of ${summary.tileSize.join('x')}, ${images.train} training images`,
    ...(tested > 0
      ? [
          `${images.good} good and ${images.anomalous} anomalous test images:`,
          `  image  AUROC ${figure('imageAUROC')}  F1 ${figure('imageF1')}   (by maximum ${figure('imageAUROCMaximum')}, by mean ${figure('imageAUROCMean')})`,
          `  pixel  AUROC ${figure('pixelAUROC')}  F1 ${figure('pixelF1')}  AUPRO ${figure('pixelAUPRO')}`,
        ]
      : ['no labelled test images: nothing evaluated']),
    `thresholds: image ${thresholds.image.toPrecision(4)}, pixel ${thresholds.pixel.toPrecision(4)} (from ${thresholds.source})`,
    `device memory: peak ${formatBytes(memory.peakBytes)}, planned ${formatBytes(memory.plannedBytes)}`,
    `seconds: decode ${seconds.decode.toFixed(1)}, train ${seconds.train.toFixed(1)}, predict ${seconds.predict.toFixed(1)}, total ${seconds.total.toFixed(1)}`,
    `run: ${summary.run}`,
  ];
}
