import type { Gpu } from '../src/engine/gpu.js';
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
  /** Outputs of the first run, where they were asked for. */
  readonly outputs: readonly Float32Array[];
}

/** Shortest time that is measured, so that submit and wait, some 0.2 ms, weigh little. */
const leastMilliseconds = 10;

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
    for (const tensor of options.read ?? []) outputs.push(await program.read(0, tensor));
    const runs = async (count: number): Promise<number> => {
      const begun = performance.now();
      const encoder = gpu.device.createCommandEncoder({ label: plan.name });
      for (let i = 0; i < count; i++) program.encode(encoder);
      gpu.submit(encoder);
      await gpu.idle(plan.name);
      return (performance.now() - begun) / count;
    };
    const one = await runs(1);
    const count = Math.max(1, Math.min(100, Math.ceil(leastMilliseconds / one)));
    // What is slow is sampled less often: its figure is not what anyone waits for.
    const affordable = Math.ceil(longestMilliseconds / (one * count));
    const iterations = Math.min(effort.iterations, Math.max(3, affordable));
    const milliseconds = await measure(() => runs(count), { ...effort, iterations });
    return { milliseconds, coldMilliseconds, outputs };
  } finally {
    program.destroy();
  }
}
