import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TilesightError } from '../engine/errors.js';
import type { Gpu } from '../engine/gpu.js';
import { Profiler } from '../engine/profiler.js';
import { TiledEnsemble } from '../ensemble/ensemble.js';
import type { Residency } from '../ensemble/planning.js';
import { Run } from '../ensemble/run.js';
import { modelDefinition } from '../models/index.js';
import { loadBackbone, type LoadedBackbone } from './backbone.js';
import { openGpu } from './gpu.js';
import { folderStorage } from './run-storage.js';
import { loadTuning } from './tuning.js';

/** Options of commands that use a finished run. */
export interface OpenRunOptions {
  run: string;
  weights?: string;
  memory?: number;
  resident?: Residency;
  kernel?: Record<string, string>;
  imageThreshold?: number;
  pixelThreshold?: number;
  profile?: boolean;
}

/** What `log.json` remembers of where things were; empty where there is none. */
export interface RunLog {
  readonly data?: string;
  readonly category?: string;
  readonly normal?: string;
  readonly abnormal?: string;
  readonly masks?: string;
  readonly weights?: string;
}

/** Reads `log.json` of a run; a missing or damaged one says nothing. */
export async function readLog(run: string): Promise<RunLog> {
  try {
    const value = JSON.parse(await readFile(join(run, 'log.json'), 'utf8')) as { inputs?: RunLog };
    return value.inputs ?? {};
  } catch {
    return {};
  }
}

/** A finished run, loaded. */
export interface OpenedRun {
  readonly ensemble: TiledEnsemble;
  readonly gpu: Gpu;
  readonly profiler: Profiler | undefined;
  readonly log: RunLog;
}

/** Opens a finished run on a device, with the backbone's weights that it was trained with. */
export async function openRun(options: OpenRunOptions, onNote?: (line: string) => void): Promise<OpenedRun> {
  for (const [name, value] of [
    ['--image-threshold', options.imageThreshold],
    ['--pixel-threshold', options.pixelThreshold],
  ] as const) {
    if (value !== undefined && !Number.isFinite(value)) throw new TilesightError('usage', `${name}: give a number`);
  }
  const run = await Run.open(folderStorage(options.run));
  const { configuration } = run;
  const log = await readLog(options.run);
  const loaded = await weightsOf(options, configuration.backbone, configuration.weights, log);
  const gpu = await openGpu({ ...(options.memory !== undefined && { memoryBudgetBytes: options.memory }) });
  try {
    const profiler = options.profile ? new Profiler(gpu) : undefined;
    const ensemble = await TiledEnsemble.load({
      gpu,
      run,
      model: modelDefinition(configuration.model).create(configuration.modelOptions),
      backbone: loaded.backbone,
      kernels: options.kernel,
      tuning: await loadTuning(gpu, onNote),
      profiler,
      resident: options.resident,
      imageThreshold: options.imageThreshold,
      pixelThreshold: options.pixelThreshold,
    });
    return { ensemble, gpu, profiler, log };
  } catch (error) {
    gpu.destroy();
    throw error;
  }
}

async function weightsOf(
  options: OpenRunOptions,
  backbone: string,
  digest: string,
  log: RunLog,
): Promise<LoadedBackbone> {
  const candidates = options.weights !== undefined ? [options.weights] : [log.weights, undefined];
  let failure: unknown;
  for (const file of candidates) {
    try {
      const loaded = await loadBackbone(backbone, file);
      if (loaded.sha256 === digest) return loaded;
      failure = new TilesightError(
        'input',
        `${file ?? `the cached weights of ${backbone}`}: not the weights that the run ${options.run} was trained with: give those with --weights`,
      );
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}
