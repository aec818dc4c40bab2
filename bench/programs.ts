import { usage, type Gpu } from '../src/engine/gpu.js';
import type { Tensor } from '../src/engine/graph.js';
import type { Plan } from '../src/engine/plan.js';
import { Program } from '../src/engine/program.js';
import { measure, type Effort, type Spread } from './timing.js';

/** What a plan takes. */
export interface MeasuredProgram {
  /** One run of the warm program, without upload and read-back. */
  readonly milliseconds: Spread;
  /** From the plan to the end of its first run: pipelines, the driver's compiler, memory. */
  readonly coldMilliseconds: number;
  /** Outputs and parameters after the first run, as far as they were asked for. */
  readonly outputs: readonly Float32Array[];
}

/** Shortest time that is measured, so that submit and wait, some 0.2 ms, weigh little. */
const leastMilliseconds = 10;

/** Most runs in one submit: the driver keeps all their commands. */
const mostRuns = 500;

/** Time after which three samples are enough. */
const longestMilliseconds = 2000;

/**
 * Measures a plan whose inputs are parameters. A sample is as many runs in one submit as take some milliseconds, divided
 * by their number.
 *
 * @param prepare is called once with the program before its first run, to fill parameters.
 */
export async function measureProgram(
  gpu: Gpu,
  plan: Plan,
  effort: Effort,
  options: { readonly read?: readonly Tensor[]; readonly prepare?: (program: Program) => Promise<void> } = {},
): Promise<MeasuredProgram> {
  const started = performance.now();
  const program = await Program.create(gpu, plan);
  try {
    await options.prepare?.(program);
    program.run(0);
    const outputs: Float32Array[] = [];
    await gpu.idle(plan.name);
    const coldMilliseconds = performance.now() - started;
    for (const tensor of options.read ?? []) {
      const updated = tensor.kind === 'parameter';
      outputs.push(updated ? (await program.pool.read(tensor.name)).data : await program.read(0, tensor));
    }
    const stopwatch = deviceStopwatch(gpu);
    try {
      const runs = async (count: number): Promise<number> => {
        const begun = performance.now();
        const encoder = gpu.device.createCommandEncoder({ label: plan.name });
        stopwatch?.mark(encoder, 0);
        for (let i = 0; i < count; i++) program.encode(encoder);
        stopwatch?.mark(encoder, 1);
        stopwatch?.resolve(encoder);
        gpu.submit(encoder);
        await gpu.idle(plan.name);
        const taken = performance.now() - begun;
        return ((await stopwatch?.read()) ?? taken) / count;
      };
      let one = await runs(1);
      let count = Math.max(1, Math.min(mostRuns, Math.ceil(leastMilliseconds / one)));
      // A single run is mostly waiting where a kernel takes microseconds: judged again by many.
      if (count > 1) one = await runs(count);
      count = Math.max(1, Math.min(mostRuns, Math.ceil(leastMilliseconds / one)));
      // What is slow is sampled less often: its figure is not what anyone waits for.
      const affordable = Math.ceil(longestMilliseconds / (one * count));
      const iterations = Math.min(effort.iterations, Math.max(3, affordable));
      const milliseconds = await measure(() => runs(count), { ...effort, iterations });
      return { milliseconds, coldMilliseconds, outputs };
    } finally {
      stopwatch?.destroy();
    }
  } finally {
    program.destroy();
  }
}

/** Milliseconds between two marks in an encoder by the device's own clock. */
interface Stopwatch {
  mark(encoder: GPUCommandEncoder, index: 0 | 1): void;
  resolve(encoder: GPUCommandEncoder): void;
  read(): Promise<number>;
  destroy(): void;
}

/**
 * A stopwatch of a hardware adapter with timestamps: what the host takes to encode and submit stays out of the figure,
 * which on a large device is many times the kernel's. A software adapter computes where the host does, and both count.
 */
function deviceStopwatch(gpu: Gpu): Stopwatch | undefined {
  if (gpu.profile.class !== 'hardware' || !gpu.profile.features.has('timestamp-query')) return undefined;
  const querySet = gpu.device.createQuerySet({ type: 'timestamp', count: 4, label: 'stopwatch' });
  const resolved = gpu.allocate(32, 'profile', 'stopwatch', usage.queryResolve | usage.copySource);
  const readable = gpu.allocate(32, 'profile', 'stopwatch', usage.mapRead | usage.copyDestination);
  return {
    mark(encoder, index) {
      const timestampWrites = {
        querySet,
        beginningOfPassWriteIndex: index * 2,
        endOfPassWriteIndex: index * 2 + 1,
      };
      encoder.beginComputePass({ timestampWrites }).end();
    },
    resolve(encoder) {
      encoder.resolveQuerySet(querySet, 0, 4, resolved.buffer, 0);
      encoder.copyBufferToBuffer(resolved.buffer, 0, readable.buffer, 0, 32);
    },
    async read() {
      await readable.buffer.mapAsync(1);
      const times = new BigUint64Array(readable.buffer.getMappedRange().slice(0));
      readable.buffer.unmap();
      return Number((times[2] ?? 0n) - (times[1] ?? 0n)) / 1e6;
    },
    destroy() {
      querySet.destroy();
      resolved.destroy();
      readable.destroy();
    },
  };
}
