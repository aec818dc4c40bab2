import type { BenchOptions, BenchReport } from '../src/cli/bench.js';
import type { Gpu } from '../src/engine/gpu.js';
import { openGpu } from '../src/node/gpu.js';
import { benchBackbone } from './backbone.js';
import { benchEnsemble } from './ensemble.js';
import { benchKernels } from './kernels.js';
import { benchMemory } from './memory.js';
import { profileBench } from './profile.js';
import { benchTraining } from './training.js';

export { benchTable } from './report.js';

const benches: Readonly<Record<BenchOptions['what'], (gpu: Gpu, options: BenchOptions) => Promise<BenchReport>>> = {
  kernels: benchKernels,
  backbone: benchBackbone,
  ensemble: (gpu, options) => (options.training ? benchTraining(gpu, options) : benchEnsemble(gpu, options)),
  memory: benchMemory,
};

/** Runs one of the benches on the adapter that everything else uses. */
export async function runBench(options: BenchOptions): Promise<BenchReport> {
  // What a kernel takes when it is new shows only without the driver's cache; warm figures do not depend on it.
  if (options.what === 'kernels' && !options.tiny) process.env['MESA_SHADER_CACHE_DISABLE'] = 'true';
  const gpu = await openGpu({ onNotice: options.onNote });
  try {
    const report = await benches[options.what](gpu, options);
    if (options.profile !== undefined) await profileBench(gpu, options, options.profile);
    return report;
  } finally {
    gpu.destroy();
  }
}
