import type { BenchOptions } from '../src/cli/bench.js';
import { writeProfile } from '../src/cli/summary.js';
import { TilesightError } from '../src/engine/errors.js';
import type { Gpu } from '../src/engine/gpu.js';
import { Graph } from '../src/engine/graph.js';
import { compile } from '../src/engine/plan.js';
import { Profiler } from '../src/engine/profiler.js';
import { Program } from '../src/engine/program.js';
import { createBackbone } from '../src/models/backbones/index.js';
import { createPadim } from '../src/models/padim.js';
import { loadTuning } from '../src/node/tuning.js';
import { tapNames } from './prepare.js';
import { randomNumbers } from './random.js';
import { flatImage, syntheticEnsemble } from './synthetic-ensemble.js';
import { benchWeights } from './weights.js';

/** Runs once more what a bench measured, with every kernel between timestamps, and writes a trace. */
export async function profileBench(gpu: Gpu, options: BenchOptions, file: string): Promise<void> {
  const profiler = new Profiler(gpu);
  if (options.what === 'backbone') await profileBackbone(gpu, options, profiler);
  else if (options.what === 'ensemble') await profileEnsemble(gpu, options, profiler);
  else throw new TilesightError('usage', '--profile goes with bench backbone and bench ensemble');
  await writeProfile(profiler, file);
}

async function profileBackbone(gpu: Gpu, options: BenchOptions, profiler: Profiler): Promise<void> {
  const size = options.tiny ? 64 : 256;
  const weights = await benchWeights('resnet18', { file: options.weights, random: options.tiny === true });
  const tuning = await loadTuning(gpu);
  const graph = new Graph('resnet18');
  const image = graph.input('image', [1, size, size, 3]);
  for (const tap of createBackbone('resnet18', weights).build(graph, image, tapNames)) graph.output(tap);
  const plan = compile(graph, {
    adapter: gpu.profile,
    tuning,
    ...(options.kernel && { kernels: options.kernel }),
  });
  const program = await Program.create(gpu, plan, { profiler });
  try {
    const data = randomNumbers(size * size * 3, 7, 2);
    // The first run holds what the driver compiles.
    await program.execute(new Map([[image, data]]));
    await profiler.finish();
    profiler.spans.length = 0;
    const started = performance.now();
    await program.execute(new Map([[image, data]]));
    profiler.host('upload, run, read back', started);
  } finally {
    program.destroy();
  }
}

async function profileEnsemble(gpu: Gpu, options: BenchOptions, profiler: Profiler): Promise<void> {
  const tile = options.tiny ? 64 : 256;
  const weights = await benchWeights('mobilenet-v2', { random: options.tiny === true });
  const { ensemble } = await syntheticEnsemble(
    gpu,
    {
      model: createPadim(options.tiny ? { dimensions: 8 } : {}),
      backbone: createBackbone('mobilenet-v2', weights),
      image: 2 * tile,
      tile,
      stride: tile,
      batch: 4,
      tuning: await loadTuning(gpu),
      kernels: options.kernel,
      resident: 'auto',
    },
    profiler,
  );
  try {
    await profiler.finish();
    profiler.spans.length = 0;
    await ensemble.predict(flatImage(ensemble.grid.image));
  } finally {
    ensemble.destroy();
  }
}
