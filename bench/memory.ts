import { readFileSync, writeFileSync } from 'node:fs';
import type { BenchOptions, BenchReport } from '../src/cli/bench.js';
import { TilesightError } from '../src/engine/errors.js';
import type { Gpu } from '../src/engine/gpu.js';
import { ParameterPool } from '../src/engine/program.js';
import { decodeImages, tileSource } from '../src/ensemble/fit.js';
import type { EnsemblePlan } from '../src/ensemble/planning.js';
import { createBackbone } from '../src/models/backbones/index.js';
import { createPadim } from '../src/models/padim.js';
import { residentMemory } from '../src/node/peak-memory.js';
import { loadTuning } from '../src/node/tuning.js';
import { makeReport, type Row } from './report.js';
import {
  flatImage,
  flatReader,
  planSynthetic,
  sample,
  syntheticEnsemble,
  trainingImages,
  type SyntheticSetting,
} from './synthetic-ensemble.js';
import { benchWeights } from './weights.js';

/** A single model is measured up to this plan; beyond it only the plan is given. */
const singleModelBytes = 2 * 2 ** 30;

/**
 * Peak device bytes and peak resident memory of the host, of fitting (two positions on two images) and of predicting a
 * whole image, for growing images at one tile size and for a single model of the whole image.
 */
export async function benchMemory(gpu: Gpu, options: BenchOptions): Promise<BenchReport> {
  const tile = options.tiny ? 64 : 256;
  const largest = options.tiny ? 128 : options.limitSize;
  const backbone = createBackbone(
    'mobilenet-v2',
    await benchWeights('mobilenet-v2', { random: options.tiny === true }),
  );
  const tuning = await loadTuning(gpu);
  const base = {
    model: createPadim(options.tiny ? { dimensions: 8 } : {}),
    backbone,
    batch: 4,
    tuning,
    kernels: options.kernel,
    // One position at a time: what the peak is promised for.
    resident: 'never' as const,
  };
  const rows: Row[] = [];
  const peakBytes: Record<string, number> = {};
  const images: number[] = [];
  for (let image = 2 * tile; image <= largest; image *= 2) images.push(image);
  const settings: SyntheticSetting[] = [
    { ...base, image: tile, tile, stride: tile },
    ...images.flatMap((image) => [tile, tile / 2].map((stride) => ({ ...base, image, tile, stride }))),
    ...images.map((image) => ({ ...base, image, tile: image, stride: image })),
  ];
  for (const setting of settings) {
    options.signal.throwIfAborted();
    const single = setting.tile === setting.image && setting.image > tile;
    const { image, tile: side, stride } = setting;
    options.onNote(`${image}², tile ${side}, stride ${stride}`);
    const plan = tryPlan(gpu, setting);
    if (typeof plan === 'string') {
      const nothing = { plannedBytes: null, peakBytes: null, hostPeakBytes: null };
      rows.push({ image, tile: side, stride, grid: '1x1', ...nothing, note: plan });
      continue;
    }
    const grid = `${plan.grid.rows}x${plan.grid.columns}`;
    const measured =
      single && plan.plannedBytes > singleModelBytes ? undefined : await measureMemory(gpu, setting, plan);
    rows.push({
      image,
      tile: side,
      stride,
      grid,
      plannedBytes: plan.plannedBytes,
      peakBytes: measured?.device ?? null,
      hostPeakBytes: measured?.host ?? null,
      note: measured?.note ?? (measured ? '' : 'planned only'),
    });
    if (!single && measured) peakBytes[grid] = measured.device;
  }
  const one = peakBytes['1x1'] ?? NaN;
  return makeReport(gpu, rows, { peakBytes, ratioToSingleTile: Math.max(...Object.values(peakBytes)) / one });
}

/** The plan, or why the adapter cannot run it: a single model of a large image passes what a binding may hold. */
function tryPlan(gpu: Gpu, setting: SyntheticSetting): EnsemblePlan | string {
  try {
    return planSynthetic(gpu, setting);
  } catch (error) {
    if (error instanceof TilesightError) return error.message;
    throw error;
  }
}

interface MeasuredMemory {
  readonly device: number;
  readonly host: number;
  /** What stopped it, where it did not run. */
  readonly note?: string;
}

async function measureMemory(gpu: Gpu, setting: SyntheticSetting, plan: EnsemblePlan): Promise<MeasuredMemory> {
  gpu.memory.resetPeak();
  const hostPeak = watchHost();
  try {
    await fitCorners(gpu, setting, plan);
    const { ensemble } = await syntheticEnsemble(gpu, setting);
    try {
      await ensemble.predict(flatImage(plan.grid.image));
    } finally {
      ensemble.destroy();
    }
    return { device: gpu.memory.peakBytes, host: hostPeak() };
  } catch (error) {
    if (!(error instanceof TilesightError)) throw error;
    return { device: gpu.memory.peakBytes, host: hostPeak(), note: error.message };
  }
}

/** Fits the first and the last position, as training does with all of them. */
async function fitCorners(gpu: Gpu, setting: SyntheticSetting, plan: EnsemblePlan): Promise<void> {
  const samples = trainingImages.map(sample);
  const store = await decodeImages(samples, flatReader, plan.grid.image);
  const pool = new ParameterPool(gpu);
  try {
    const fitter = await setting.model.createFitter(plan.setting, { gpu, pool, profiler: undefined });
    try {
      for (const position of new Set([0, plan.grid.positions - 1])) {
        await fitter.fit({
          tiles: tileSource(store, samples, plan.grid, position),
          heldOut: undefined,
          signal: undefined,
          onProgress: undefined,
          checkpoint: undefined,
        });
      }
    } finally {
      fitter.destroy();
    }
  } finally {
    pool.destroy();
    await store.close();
  }
}

/** Starts a new peak of resident memory, where the system lets a process do so; gives a reader of it. */
function watchHost(): () => number {
  try {
    writeFileSync('/proc/self/clear_refs', '5');
    return () => {
      const line = /^VmHWM:\s*(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'));
      return Number(line?.[1] ?? NaN) * 1024;
    };
  } catch {
    return () => residentMemory().peak;
  }
}
