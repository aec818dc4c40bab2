import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchOptions, BenchReport } from '../src/cli/bench.js';
import type { Gpu } from '../src/engine/gpu.js';
import { ParameterPool } from '../src/engine/program.js';
import type { ModelSetting, TileSource } from '../src/models/anomaly-model.js';
import { createBackbone } from '../src/models/backbones/index.js';
import { completeOptions, type ModelDefinition } from '../src/models/definition.js';
import { modelDefinitions } from '../src/models/index.js';
import { loadTuning } from '../src/node/tuning.js';
import type { EngineName, StackJob } from './engines/engine.js';
import { startEngine, warmRun } from './engines/process.js';
import { stackFlops } from './engines/stack.js';
import { installPeers } from './peers.js';
import { floatsOf } from './prepare.js';
import { makeReport, type Row } from './report.js';
import { measureRoofs, roofPlans, roofsOf, type Roofs } from './roofs.js';
import { flatImage } from './synthetic-ensemble.js';
import { interleave, spread, type Spread } from './timing.js';
import { benchWeights } from './weights.js';

/**
 * Training steps: of each model that is trained by gradients, as images a second and share of the multiply-add roof,
 * with tiles of 128 pixels and on hardware also of 256; and of a stack of convolutions, with `--peers` beside
 * TensorFlow.js on the same adapter, turn by turn.
 */
export async function benchTraining(gpu: Gpu, options: BenchOptions): Promise<BenchReport> {
  if (options.peers) installPeers(options.onNote);
  const samples = options.samples ?? (options.tiny ? 2 : 7);
  const roofs = roofsOf(await measureRoofs(gpu, { iterations: samples, time: 0 }, roofPlans(gpu.profile, 2 ** 16)));
  const rows: Row[] = [];
  const hardware = gpu.profile.class === 'hardware';
  // The paper's batch where a device has the memory and the speed for it.
  const sizes = options.tiny ? [32] : hardware ? [128, 256] : [128];
  const batch = options.tiny ? 1 : hardware ? 32 : 4;
  const shareOfRoof: Record<string, Record<string, number>> = {};
  const trained = modelDefinitions.filter((definition) => definition.options.some(({ name }) => name === 'steps'));
  for (const definition of options.tiny ? trained.slice(0, 1) : trained) {
    const shares: Record<string, number> = {};
    for (const side of sizes) {
      options.signal.throwIfAborted();
      options.onNote(`${definition.name} at ${side} …`);
      const row = await measureModel(gpu, definition, { side, batch }, options, samples, roofs);
      rows.push(row);
      shares[side] = row.shareOfFma;
    }
    shareOfRoof[definition.name] = shares;
  }
  const stack: StackJob = options.tiny
    ? { stack: true, batch: 1, size: 8, channels: 8, depth: 2 }
    : { stack: true, batch: hardware ? 32 : 4, size: hardware ? 64 : 32, channels: 128, depth: 4 };
  const stacks = await measureStack(stack, options, samples, roofs);
  rows.push(...stacks);
  const median = (name: EngineName): number | undefined =>
    (stacks.find((row) => row['engine'] === name)?.['milliseconds'] as Spread | undefined)?.median;
  const [own, peer] = [median('tilesight'), median('tfjs WebGPU')];
  return makeReport(gpu, rows, {
    ratioToTensorflow: own !== undefined && peer !== undefined ? peer / own : null,
    shareOfRoof,
  });
}

/** Steps of a model's own fitter, as training runs them: upload, the whole step in one submit, read-back of the loss. */
async function measureModel(
  gpu: Gpu,
  definition: ModelDefinition,
  { side, batch }: { readonly side: number; readonly batch: number },
  options: BenchOptions,
  samples: number,
  roofs: Roofs,
): Promise<Row & { shareOfFma: number }> {
  const warmUp = 2;
  const model = definition.create(completeOptions(definition, { steps: samples + warmUp + 1, 'checkpoint-steps': 0 }));
  const weights = await benchWeights('resnet18', { file: options.weights, random: options.tiny === true });
  const tuning = await loadTuning(gpu);
  const setting: ModelSetting = {
    backbone: createBackbone('resnet18', weights),
    tile: { height: side, width: side },
    batch,
    seed: 42,
    adapter: gpu.profile,
    ...(options.kernel && { kernels: options.kernel }),
    tuning,
    budgetBytes: Infinity,
    trainingImages: batch,
  };
  const image = flatImage(setting.tile);
  const tiles: TileSource = {
    count: batch,
    read: (indices, target) => {
      indices.forEach((_, index) => target.set(image.data, index * image.data.length));
      return Promise.resolve();
    },
    imageName: (index) => `image ${index}`,
  };
  const pool = new ParameterPool(gpu);
  const fitter = await model.createFitter(setting, { gpu, pool, profiler: undefined });
  const times: number[] = [];
  try {
    await fitter.fit({
      tiles,
      heldOut: undefined,
      signal: options.signal,
      checkpoint: undefined,
      onProgress: ({ stage }) => {
        if (stage === 'training') times.push(performance.now());
      },
    });
  } finally {
    fitter.destroy();
    pool.destroy();
  }
  const steps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
  const milliseconds = spread(steps.slice(warmUp));
  const flops = model.planFit(setting).flops * batch;
  return {
    model: definition.name,
    backbone: setting.backbone.name,
    tile: side,
    batch,
    milliseconds,
    imagesPerSecond: (batch / milliseconds.median) * 1000,
    gflops: flops / milliseconds.median / 1e6,
    shareOfFma: flops / milliseconds.median / 1e6 / roofs.fma,
  };
}

async function measureStack(job: StackJob, options: BenchOptions, samples: number, roofs: Roofs): Promise<Row[]> {
  const names: EngineName[] = options.peers ? ['tilesight', 'tfjs WebGPU'] : ['tilesight'];
  const engines = names.map((name) => startEngine(name));
  const folder = await mkdtemp(join(tmpdir(), 'tilesight-bench-'));
  try {
    const losses = new Map<string, number>();
    for (const engine of engines) {
      options.signal.throwIfAborted();
      await engine.ask({ type: 'load', job });
      await engine.ask({ type: 'run' });
      await engine.ask({ type: 'outputs', folder });
      losses.set(engine.name, floatsOf(await readFile(join(folder, 'tap0.bin')))[0] ?? NaN);
    }
    const tasks = new Map(engines.map((engine) => [engine.name as string, warmRun(engine, options.signal)]));
    const measured = await interleave(tasks, { iterations: samples, time: 0 });
    const { batch, size, channels, depth } = job;
    return engines.map(({ name }): Row => {
      const milliseconds = spread(measured.get(name) ?? []);
      const gflops = stackFlops(job) / milliseconds.median / 1e6;
      return {
        stack: `${depth} × conv 3×3 ${channels} @${size}²`,
        batch,
        engine: name,
        milliseconds,
        imagesPerSecond: (batch / milliseconds.median) * 1000,
        gflops,
        shareOfFma: gflops / roofs.fma,
        firstLoss: losses.get(name) ?? null,
      };
    });
  } finally {
    for (const engine of engines) engine.close();
    await rm(folder, { recursive: true, force: true });
  }
}
