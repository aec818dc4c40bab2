import type { BenchOptions, BenchReport } from '../src/cli/bench.js';
import { openGpu } from '../src/node/gpu.js';
import { benchBackbone } from './backbone.js';

export { benchTable } from './report.js';

/** Runs one of the benches on the adapter that everything else uses. */
export async function runBench(options: BenchOptions): Promise<BenchReport> {
  const gpu = await openGpu({ onNotice: options.onNote });
  try {
    return await benchBackbone(gpu, options);
  } finally {
    gpu.destroy();
  }
}
