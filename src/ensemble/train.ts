import type { ImageReader, Sample } from '../data/image.js';
import { TilesightError } from '../engine/errors.js';
import type { Gpu } from '../engine/gpu.js';
import type { VariantTable } from '../engine/plan.js';
import type { Profiler } from '../engine/profiler.js';
import { ParameterPool } from '../engine/program.js';
import type { AnomalyModel } from '../models/anomaly-model.js';
import type { Backbone } from '../models/backbones/backbone.js';
import { AlignmentStatistics, type Alignment } from './alignment.js';
import type { RunConfiguration } from './configuration.js';
import { TiledEnsemble } from './ensemble.js';
import { decodeImages, fitEnsemble, fittedParts, tileSource, type EnsembleProgress, type FitReport } from './fit.js';
import type { ImageStore, SpillFile } from './image-store.js';
import { trainingResidency, type EnsemblePlan } from './planning.js';
import { Run, type RunStorage } from './run.js';
import type { TileGrid } from './tiling.js';

/** Images that the alignment is measured on; more change nothing. */
const alignmentImages = 32;

/** Everything that training needs. */
export interface TrainOptions {
  readonly gpu: Gpu;
  readonly storage: RunStorage;
  readonly model: AnomalyModel;
  readonly backbone: Backbone;
  readonly configuration: RunConfiguration;
  /** The plan that the configuration came from. */
  readonly plan: EnsemblePlan;
  readonly train: readonly Sample[];
  /** Images that set thresholds and ranges. When there are none the training images do. */
  readonly validation: readonly Sample[];
  /** Which images these are, in words. */
  readonly validationSource: string;
  readonly reader: ImageReader;
  /** Opens a temporary file for decoded images that do not fit into memory. */
  readonly openSpill?: (() => Promise<SpillFile>) | undefined;
  /** Host bytes for decoded images before they go to disk. */
  readonly hostBytes?: number | undefined;
  readonly kernels?: Readonly<Record<string, string>> | undefined;
  readonly tuning?: VariantTable | undefined;
  readonly profiler?: Profiler | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told after each decoded image. */
  readonly onDecode?: ((done: number, total: number) => void) | undefined;
  /** Told where fitting is: position, stage, loss. */
  readonly onFit?: ((progress: EnsembleProgress) => void) | undefined;
  /** Told after each image that thresholds are fitted on. */
  readonly onValidate?: ((done: number, total: number) => void) | undefined;
  /** Told what the user should know, a line each. */
  readonly onNote?: ((line: string) => void) | undefined;
}

/** A trained ensemble, ready to predict, and what training found. */
export interface TrainResult {
  readonly ensemble: TiledEnsemble;
  readonly report: FitReport;
  /** Undefined when nothing was left to fit. */
  readonly alignment: Alignment | undefined;
  readonly seconds: { readonly decode: number; readonly train: number };
}

/**
 * Trains an ensemble into a run folder: decodes each image once, fits position after position, fits thresholds on the
 * validation images. What an earlier, interrupted call has finished is kept.
 */
export async function trainEnsemble(options: TrainOptions): Promise<TrainResult> {
  const { gpu, model, backbone, configuration, plan, signal } = options;
  const run = await Run.start(options.storage, configuration, gpu.profile.name);
  const parts = fittedParts(plan.grid, configuration.shared).map(({ part }) => part);
  await forgetDamaged(run, [...parts, 'stats.json'], options.onNote);
  const pool = new ParameterPool(gpu);
  const missing = parts.filter((part) => !run.has(part));
  const seconds = { decode: 0, train: 0 };
  let report: FitReport = { losses: new Map(), notes: [], fitted: 0, resumed: plan.grid.positions };
  let alignment: Alignment | undefined;
  if (missing.length > 0) {
    let started = performance.now();
    const decode = (samples: readonly Sample[]): Promise<ImageStore> =>
      decodeImages(samples, options.reader, configuration.imageSize, {
        openSpill: options.openSpill,
        memoryBytes: options.hostBytes,
        signal,
        onProgress: options.onDecode,
      });
    const store = await decode(options.train);
    const heldOut = options.validation.filter((sample) => sample.label === 0);
    const heldOutStore = model.usesHeldOut === true && heldOut.length > 0 ? await decode(heldOut) : undefined;
    seconds.decode = (performance.now() - started) / 1000;
    started = performance.now();
    try {
      alignment = await measureAlignment(store, options.train, plan.grid);
      if (alignment.verdict === 'unaligned' && !(configuration.shared && model.positionBound !== true)) {
        options.onNote?.(alignment.advice);
      }
      const fitter = await model.createFitter(plan.setting, { gpu, pool, profiler: options.profiler });
      try {
        report = await fitEnsemble({
          run,
          grid: plan.grid,
          store,
          samples: options.train,
          heldOut: heldOutStore && { store: heldOutStore, samples: heldOut },
          fitter,
          signal,
          onProgress: options.onFit,
        });
      } finally {
        fitter.destroy();
      }
    } finally {
      await store.close();
      await heldOutStore?.close();
    }
    seconds.train = (performance.now() - started) / 1000;
  }

  const ensemble = await TiledEnsemble.load({
    gpu,
    run,
    model,
    backbone,
    pool,
    kernels: options.kernels,
    tuning: options.tuning,
    profiler: options.profiler,
    hostBytes: options.hostBytes,
    resident: trainingResidency(gpu.memory.budgetBytes),
  });
  if (!ensemble.fittedStatistics) {
    const started = performance.now();
    const enough = options.validation.length > 0;
    const source = enough ? options.validationSource : 'the training images themselves: too few to hold any out';
    const samples = enough ? options.validation : options.train;
    const callbacks = { signal, onProgress: options.onValidate };
    await run.writeJson('stats.json', await ensemble.fitStatistics(samples, options.reader, source, callbacks));
    seconds.train += (performance.now() - started) / 1000;
  }
  await run.finish();
  return { ensemble, report, alignment, seconds };
}

/** Leaves parts out that an earlier call wrote and that are no longer right, so that they are made again. */
async function forgetDamaged(
  run: Run,
  parts: readonly string[],
  onNote: ((line: string) => void) | undefined,
): Promise<void> {
  for (const part of parts) {
    if (!run.has(part)) continue;
    try {
      await run.readPart(part);
    } catch (error) {
      if (!(error instanceof TilesightError)) throw error;
      onNote?.(`${run.storage.location}/${part} is missing or damaged: it is made again`);
      await run.forget(part);
    }
  }
}

/** How well the good images lie on top of each other, from the first of them. */
async function measureAlignment(store: ImageStore, samples: readonly Sample[], grid: TileGrid): Promise<Alignment> {
  const statistics = new AlignmentStatistics(grid.positions);
  const { height, width } = grid.tile;
  const tile = new Uint8Array(height * width * 3);
  const count = Math.min(alignmentImages, samples.length);
  for (let position = 0; position < grid.positions; position++) {
    const source = tileSource(store, samples, grid, position);
    for (let index = 0; index < count; index++) {
      await source.read([index], tile);
      statistics.add(position, tile, height, width);
    }
  }
  return statistics.result();
}
