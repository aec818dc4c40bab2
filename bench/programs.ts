import { usage, type Gpu } from '../src/engine/gpu.js';
import type { Tensor } from '../src/engine/graph.js';
import type { Plan } from '../src/engine/plan.js';
import { Program } from '../src/engine/program.js';
import { interleave, spread, type Effort, type Spread, type TimedTask } from './timing.js';

/** What a plan takes. */
export interface MeasuredProgram {
  /** One run of the warm program, without upload and read-back. */
  readonly milliseconds: Spread;
  /** From the plan to the end of its first run: pipelines, the driver's compiler, memory. */
  readonly coldMilliseconds: number;
  /** Outputs and parameters after the first run, as far as they were asked for. */
  readonly outputs: readonly Float32Array[];
}

/** What is measured: a plan whose inputs are parameters. */
export interface Subject {
  readonly plan: Plan;
  /** Outputs, or parameters that are updated, to be read after the first run. */
  readonly read?: readonly Tensor[];
  /** Is called once with the program before its first run, to fill parameters. */
  readonly prepare?: (program: Program) => Promise<void>;
}

/** Shortest time that is measured, so that submit and wait, some 0.2 ms, weigh little. */
const leastMilliseconds = 10;

/** Most runs in one submit: the driver keeps all their commands. */
const mostRuns = 500;

/** Time after which three samples are enough: what is slow is not what anyone waits for. */
export const longestMilliseconds = 2000;

/**
 * How long a hardware device is kept busy before it is sampled. It lowers its clocks while it has nothing to do, as during
 * uploads and compilation, and takes some tenths of a second to raise them: an H100 measured at once is 2–4 times too slow.
 */
const busyMilliseconds = 300;

/** Keeps a hardware device busy with `run` until its clocks are up; a software adapter has none of its own. */
export async function warmUp(gpu: Gpu, run: () => Promise<unknown>): Promise<void> {
  const enough = gpu.profile.class === 'hardware' ? busyMilliseconds : 0;
  const started = performance.now();
  while (performance.now() - started < enough) await run();
}

/** Measures one plan by itself; see {@link measurePrograms}. */
export async function measureProgram(
  gpu: Gpu,
  plan: Plan,
  effort: Effort,
  options: Omit<Subject, 'plan'> = {},
): Promise<MeasuredProgram> {
  const [measured] = await measurePrograms(gpu, [{ plan, ...options }], { longest: longestMilliseconds, ...effort });
  if (!measured) throw new Error('nothing was measured');
  return measured;
}

/**
 * Measures plans turn by turn, all on the device at once. A sample is as many runs in one submit as take some milliseconds,
 * divided by their number.
 */
export async function measurePrograms(
  gpu: Gpu,
  subjects: readonly Subject[],
  effort: Effort,
): Promise<MeasuredProgram[]> {
  const stopwatch = deviceStopwatch(gpu);
  const programs: Program[] = [];
  const firsts: Omit<MeasuredProgram, 'milliseconds'>[] = [];
  const tasks = new Map<string, TimedTask>();
  try {
    for (const { plan, read, prepare } of subjects) {
      const started = performance.now();
      const program = await Program.create(gpu, plan);
      programs.push(program);
      await prepare?.(program);
      program.run(0);
      await gpu.idle(plan.name);
      const coldMilliseconds = performance.now() - started;
      const outputs: Float32Array[] = [];
      for (const tensor of read ?? []) {
        const updated = tensor.kind === 'parameter';
        outputs.push(updated ? (await program.pool.read(tensor.name)).data : await program.read(0, tensor));
      }
      firsts.push({ coldMilliseconds, outputs });
      tasks.set(`${tasks.size}`, await warmTask(gpu, program, stopwatch));
    }
    const samples = [...(await interleave(tasks, effort)).values()];
    return firsts.map((first, index) => ({ ...first, milliseconds: spread(samples[index] ?? []) }));
  } finally {
    for (const program of programs) program.destroy();
    stopwatch?.destroy();
  }
}

/** A task that gives the milliseconds of one run of a program, which is warm by then. */
async function warmTask(gpu: Gpu, program: Program, stopwatch: Stopwatch | undefined): Promise<TimedTask> {
  const { name } = program.plan;
  const runs = async (count: number): Promise<number> => {
    const begun = performance.now();
    const encoder = gpu.device.createCommandEncoder({ label: name });
    stopwatch?.mark(encoder, 0);
    for (let i = 0; i < count; i++) program.encode(encoder);
    stopwatch?.mark(encoder, 1);
    stopwatch?.resolve(encoder);
    gpu.submit(encoder);
    await gpu.idle(name);
    const taken = performance.now() - begun;
    return ((await stopwatch?.read()) ?? taken) / count;
  };
  let count = 1;
  const judge = async (): Promise<void> => {
    const one = await runs(count);
    count = Math.max(1, Math.min(mostRuns, Math.ceil(leastMilliseconds / one)));
  };
  await judge();
  // A single run is mostly waiting where a kernel takes microseconds: judged again by many.
  if (count > 1) await judge();
  await warmUp(gpu, judge);
  return () => runs(count);
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
