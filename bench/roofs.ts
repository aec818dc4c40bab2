import type { Gpu } from '../src/engine/gpu.js';
import { Graph, type Operator } from '../src/engine/graph.js';
import { foldWorkgroups } from '../src/engine/kernel.js';
import { compile } from '../src/engine/plan.js';
import copySource from './copy-roof.wgsl';
import fmaSource from './fma-roof.wgsl';
import { measureProgram } from './programs.js';
import type { Effort, Spread } from './timing.js';

/** What the adapter can do at most, measured. */
export interface Roofs {
  /** f32 multiply-adds, each counted as two, in GFLOP/s. */
  readonly fma: number;
  /** Bytes read and written by a copy, in GB/s. */
  readonly copy: number;
}

const chains = 12;
const depth = 8;

const fmaOperator: Operator<{ turns: number }> = {
  name: 'fma-roof',
  lower({ outputs: [result], attributes: { turns } }, lowering) {
    const threads = result?.shape[0] ?? 0;
    if (!result) throw new Error('no result');
    lowering.dispatch({
      kernel: { name: 'fma-roof', source: fmaSource },
      bindings: [result],
      parameters: { turns, factor: 0.999, summand: 0.001 },
      workgroups: foldWorkgroups(threads / 64, lowering.adapter.limits.maxComputeWorkgroupsPerDimension),
      flops: threads * turns * depth * chains * 2,
    });
  },
};

const copyOperator: Operator = {
  name: 'copy-roof',
  lower({ inputs: [input], outputs: [result] }, lowering) {
    if (!input || !result) throw new Error('no tensors');
    const vectors = (input.shape[0] ?? 0) / 4;
    lowering.dispatch({
      kernel: { name: 'copy-roof', source: copySource },
      bindings: [input, result],
      parameters: { vectors },
      workgroups: foldWorkgroups(Math.ceil(vectors / 256), lowering.adapter.limits.maxComputeWorkgroupsPerDimension),
    });
  },
};

/**
 * Measures both roofs.
 *
 * @param floats 32-bit floats that are copied: more than any cache holds, so that the figure is that of the memory.
 */
export async function measureRoofs(
  gpu: Gpu,
  effort: Effort,
  floats: number,
): Promise<Roofs & { readonly spreads: { readonly fma: Spread; readonly copy: Spread } }> {
  const threads = gpu.profile.class === 'hardware' ? 2 ** 18 : 2 ** 12;
  const arithmetic = new Graph('fma roof');
  arithmetic.output(arithmetic.apply(fmaOperator, [], { turns: 256 }, [threads]));
  const plan = compile(arithmetic, { adapter: gpu.profile });
  const fma = (await measureProgram(gpu, plan, effort)).milliseconds;

  const memory = new Graph('copy roof');
  const input = memory.parameter('copied', [floats]);
  memory.output(memory.apply(copyOperator, [input], undefined, [floats]));
  const copy = (await measureProgram(gpu, compile(memory, { adapter: gpu.profile }), effort)).milliseconds;
  return {
    fma: plan.flops / fma.median / 1e6,
    copy: (floats * 8) / copy.median / 1e6,
    spreads: { fma, copy },
  };
}
