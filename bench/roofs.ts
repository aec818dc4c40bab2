import type { AdapterProfile } from '../src/engine/adapter.js';
import type { Gpu } from '../src/engine/gpu.js';
import { Graph, type Operator } from '../src/engine/graph.js';
import { foldWorkgroups } from '../src/engine/kernel.js';
import { compile, type Plan } from '../src/engine/plan.js';
import copySource from './copy-roof.wgsl';
import fmaSource from './fma-roof.wgsl';
import { measurePrograms } from './programs.js';
import { spread, type Effort, type Spread } from './timing.js';

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

/** How a thread copies; see the kernel. */
interface CopyPattern {
  readonly name: string;
  readonly vectors: number;
  readonly apart: boolean;
}

const copyPatterns: readonly CopyPattern[] = [
  { name: 'one vector a thread', vectors: 1, apart: true },
  { name: 'four a workgroup apart', vectors: 4, apart: true },
  { name: 'four side by side', vectors: 4, apart: false },
];

const copyOperator: Operator<CopyPattern> = {
  name: 'copy-roof',
  lower({ inputs: [input], outputs: [result], attributes: { vectors: own, apart } }, lowering) {
    if (!input || !result) throw new Error('no tensors');
    const vectors = (input.shape[0] ?? 0) / 4;
    if (vectors % (64 * own) !== 0) throw new Error('the copy roof takes whole workgroups');
    lowering.dispatch({
      kernel: { name: 'copy-roof', source: copySource, constants: { VECTORS: own, APART: apart } },
      bindings: [input, result],
      parameters: { vectors },
      workgroups: foldWorkgroups(vectors / 64 / own, lowering.adapter.limits.maxComputeWorkgroupsPerDimension),
    });
  },
};

/** One candidate for a roof. */
export interface RoofPlan {
  readonly roof: string;
  readonly plan: Plan;
  /** Bytes read and written; 0 where arithmetic is what counts. */
  readonly bytes: number;
}

/** One measured candidate. */
export interface MeasuredRoof {
  readonly roof: string;
  readonly gflops: number | null;
  readonly gbPerSecond: number | null;
  readonly milliseconds: Spread;
}

/**
 * What the roofs are taken from: multiply-adds, and copies in several patterns.
 *
 * @param floats 32-bit floats that are copied: more than any cache holds, so that the figure is that of the memory.
 */
export function roofPlans(adapter: AdapterProfile, floats: number): RoofPlan[] {
  const arithmetic = new Graph('fma roof');
  const threads = adapter.class === 'hardware' ? 2 ** 18 : 2 ** 12;
  arithmetic.output(arithmetic.apply(fmaOperator, [], { turns: 256 }, [threads]));
  const copies = copyPatterns.map((pattern) => {
    const graph = new Graph(`copy roof, ${pattern.name}`);
    const input = graph.parameter('copied', [floats]);
    graph.output(graph.apply(copyOperator, [input], pattern, [floats]));
    return { roof: `copy, ${pattern.name}`, plan: compile(graph, { adapter }), bytes: floats * 8 };
  });
  return [{ roof: 'multiply-adds', plan: compile(arithmetic, { adapter }), bytes: 0 }, ...copies];
}

/** The rate of a candidate that took so long. */
export function measuredRoof({ roof, plan, bytes }: RoofPlan, milliseconds: Spread): MeasuredRoof {
  return {
    roof,
    gflops: bytes > 0 ? null : plan.flops / milliseconds.median / 1e6,
    gbPerSecond: bytes > 0 ? bytes / milliseconds.median / 1e6 : null,
    milliseconds,
  };
}

/** Measures all candidates turn by turn. */
export async function measureRoofs(gpu: Gpu, effort: Effort, plans: readonly RoofPlan[]): Promise<MeasuredRoof[]> {
  const measured = await measurePrograms(gpu, plans, effort);
  return plans.map((plan, index) => measuredRoof(plan, measured[index]?.milliseconds ?? spread([])));
}

/** Of all candidates the one of multiply-adds and the fastest copy. */
export function highestRoofs(plans: readonly RoofPlan[], measured: readonly MeasuredRoof[]): RoofPlan[] {
  const { copy } = roofsOf(measured);
  return plans.filter((_, index) => [null, copy].includes(measured[index]?.gbPerSecond ?? null));
}

/** The better of two measurements of one candidate, so that a busy moment does not lower a roof. */
export function higherRoof(a: MeasuredRoof, b: MeasuredRoof): MeasuredRoof {
  return a.milliseconds.median < b.milliseconds.median ? a : b;
}

/** The roofs: of the copies the fastest pattern. */
export function roofsOf(measured: readonly MeasuredRoof[]): Roofs {
  return {
    fma: Math.max(...measured.map(({ gflops }) => gflops ?? 0)),
    copy: Math.max(...measured.map(({ gbPerSecond }) => gbPerSecond ?? 0)),
  };
}
