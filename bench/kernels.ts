import type { BenchOptions, BenchReport } from '../src/cli/bench.js';
import type { Gpu } from '../src/engine/gpu.js';
import type { Graph } from '../src/engine/graph.js';
import { compile, type Plan, type PlanOptions } from '../src/engine/plan.js';
import { loadTuning } from '../src/node/tuning.js';
import type { Reference } from '../test/kernels/harness.js';
import { startBruteForce } from './brute-force.js';
import type { KernelCase, OperatorCase } from './cases/case.js';
import { kernelCases } from './kernel-cases.js';
import { longestMilliseconds, measurePrograms, type MeasuredProgram } from './programs.js';
import { randomNumbers } from './random.js';
import { makeReport, type Row } from './report.js';
import {
  higherRoof,
  highestRoofs,
  measuredRoof,
  measureRoofs,
  roofPlans,
  roofsOf,
  type RoofPlan,
  type Roofs,
} from './roofs.js';
import { measure, scaled, type Effort, type Spread } from './timing.js';
import { tuneBackbones } from './tune.js';

/** A variant at a shape with what it took; what the summary is taken from. */
interface Measured {
  readonly one: Pick<KernelCase, 'kernel' | 'shape' | 'flops' | 'bytes' | 'bound'>;
  readonly variant: string;
  readonly chosen: boolean;
  readonly milliseconds: Spread;
  readonly coldMilliseconds: number | null;
  /** Largest error relative to the largest value, and as a share of the bound of 32-bit sums. */
  readonly error: number | null;
  readonly shareOfBound: number | null;
  /** The roofs, sampled turn by turn with the variants; undefined where the host is part of what is measured. */
  readonly roofs: Roofs | undefined;
  /** Rate as a share of that of the best matrix product of the same sizes, both sampled turn by turn. */
  readonly overProduct: number | null;
}

type Planning = Omit<PlanOptions, 'kernels'>;

/** Every variant at the shapes of the real backbones beside the roofs, and the brute force on the processor. */
export async function benchKernels(gpu: Gpu, options: BenchOptions): Promise<BenchReport> {
  const effort: Effort = { iterations: options.samples ?? (options.tiny ? 2 : 7), time: 0 };
  options.onNote('roofs …');
  // More than any cache holds: a large device's takes 50 MB.
  const copied = options.tiny ? 2 ** 16 : gpu.profile.class === 'hardware' ? 2 ** 26 : 2 ** 24;
  const plans = roofPlans(gpu.profile, copied);
  const before = await measureRoofs(gpu, effort, plans);
  const beside = highestRoofs(plans, before);
  const tuning = await loadTuning(gpu);
  const planning: Planning = { adapter: gpu.profile, tuning };
  const measured: Measured[] = [];
  for (const make of kernelCases(gpu, options.tiny === true)) {
    options.signal.throwIfAborted();
    const one = make();
    if (!`${one.kernel} ${one.shape}`.includes(options.only ?? '')) continue;
    measured.push(...(await measureCase(gpu, one, { planning, beside, effort, options })));
    const search = bruteForceOf(one);
    if (search) measured.push(await measureBruteForce(one, search, effort));
  }
  const after = await measureRoofs(gpu, effort, plans);
  const highest = before.map((roof, index) => higherRoof(roof, after[index] ?? roof));
  const roofs = roofsOf(highest);
  const rows = [
    ...highest.map((roof): Row => ({ ...roof })),
    ...measured.map((entry) => row(entry, roofs)),
    ...(options.tune ? await tuneBackbones(gpu, options) : []),
  ];
  return makeReport(gpu, rows, summarise(measured, roofs));
}

/** What the measurements of all cases share. */
interface CaseContext {
  readonly planning: Planning;
  /** The roofs that are sampled with each case. */
  readonly beside: readonly RoofPlan[];
  readonly effort: Effort;
  readonly options: BenchOptions;
}

/** Measures all variants of a case, and only then compares them with 64 bits: meanwhile a device would lower its clocks. */
async function measureCase(
  gpu: Gpu,
  one: KernelCase,
  { planning, beside, effort, options: { signal, onNote } }: CaseContext,
): Promise<Measured[]> {
  const results: { variant: string; chosen: boolean; result: MeasuredProgram }[] = [];
  let overProduct: number | null = null;
  let roofs: Roofs | undefined;
  if ('measure' in one) {
    onNote(`${one.kernel} ${one.shape}`);
    results.push({ variant: 'the only one', chosen: true, result: await one.measure(effort) });
  } else {
    const { variants, chosen, plan } = variantsOf(one, planning);
    onNote(`${one.kernel} ${one.shape}: ${variants.join(', ')}`);
    // Turn by turn, so that variants and roofs can be compared on a busy machine.
    const subjects = variants.map((variant) => ({
      plan: plan(variant),
      read: one.outputs,
      ...(one.prepare && { prepare: one.prepare }),
    }));
    const measured = await measurePrograms(gpu, [...subjects, ...beside], {
      longest: longestMilliseconds * variants.length,
      ...effort,
    });
    variants.forEach((variant, index) => {
      const result = measured[index];
      if (result) results.push({ variant, chosen: variant === chosen, result });
    });
    roofs = roofsOf(
      measured.slice(variants.length).flatMap(({ milliseconds }, index) => {
        const roof = beside[index];
        return roof ? [measuredRoof(roof, milliseconds)] : [];
      }),
    );
    signal.throwIfAborted();
    if (one.product) {
      onNote(`${one.kernel} ${one.shape} beside products`);
      overProduct = await compareWithProduct(gpu, plan(chosen), one.product(), planning, effort);
    }
  }
  const reference = one.reference?.();
  return results.map(({ variant, chosen, result: { milliseconds, coldMilliseconds, outputs } }) => {
    const difference = reference && outputs[0] ? compare(outputs[0], reference) : undefined;
    return {
      one,
      variant,
      chosen,
      milliseconds: scaled(milliseconds, 1 / (one.repeats ?? 1)),
      coldMilliseconds,
      error: difference?.error ?? null,
      shareOfBound: difference?.shareOfBound ?? null,
      roofs,
      overProduct: chosen ? overProduct : null,
    };
  });
}

/** Names of the variants that apply to a graph, the one that the planner takes, and the plan with a given one. */
function variantsOf(
  { graph, operator }: Pick<OperatorCase, 'graph' | 'operator'>,
  planning: Planning,
): { variants: readonly string[]; chosen: string; plan: (variant: string) => Plan } {
  const plain = compile(graph, planning);
  const [own] = [...plain.alternatives].filter(([key]) => key.startsWith(`${operator}|`));
  if (!own || operator === undefined) return { variants: ['the only one'], chosen: 'the only one', plan: () => plain };
  const [key, variants] = own;
  const plan = (variant: string): Plan => compile(graph, { ...planning, kernels: { [operator]: variant } });
  return { variants, chosen: plain.choices.get(key) ?? '', plan };
}

/** Most times as long as the fastest that a product may take in one sample to be sampled on. */
const close = 2;

/** Rate of a search as a share of that of the best product, both sampled turn by turn. */
async function compareWithProduct(
  gpu: Gpu,
  search: Plan,
  graph: Graph,
  planning: Planning,
  effort: Effort,
): Promise<number> {
  const { variants, plan } = variantsOf({ graph, operator: 'matmul' }, planning);
  // Products in 16 bits are no measure of what ranks in 32, and the naive one is not worth its seconds.
  const products = variants
    .filter((variant) => !/f16|matrix|naive/.test(variant))
    .map((variant) => ({ plan: plan(variant) }));
  const rough = (await measurePrograms(gpu, products, { iterations: 1, time: 0 })).map(medianOf);
  const best = products.filter((_, index) => (rough[index] ?? Infinity) <= close * Math.min(...rough));
  const [own = NaN, ...others] = (await measurePrograms(gpu, [{ plan: search }, ...best], effort)).map(medianOf);
  return Math.min(...others) / own;
}

const medianOf = ({ milliseconds }: { readonly milliseconds: Spread }): number => milliseconds.median;

function compare(actual: Float32Array, { values, bounds }: Reference): { error: number; shareOfBound: number } {
  let difference = 0;
  let largest = 0;
  let shareOfBound = 0;
  values.forEach((value, index) => {
    const apart = Math.abs((actual[index] ?? NaN) - value);
    difference = Math.max(difference, apart);
    largest = Math.max(largest, Math.abs(value));
    shareOfBound = Math.max(shareOfBound, apart / ((bounds[index] ?? 0) || Number.MIN_VALUE));
  });
  return { error: difference / largest, shareOfBound };
}

const gflops = ({ one, milliseconds }: Measured): number => one.flops / milliseconds.median / 1e6;
const gigabytes = ({ one, milliseconds }: Measured): number => one.bytes / milliseconds.median / 1e6;
const shareOfFma = (entry: Measured, roofs: Roofs): number => gflops(entry) / (entry.roofs ?? roofs).fma;
const shareOfCopy = (entry: Measured, roofs: Roofs): number => gigabytes(entry) / (entry.roofs ?? roofs).copy;

function row(entry: Measured, roofs: Roofs): Row {
  const { one, variant, chosen, milliseconds, coldMilliseconds, error, shareOfBound, overProduct } = entry;
  return {
    kernel: one.kernel,
    shape: one.shape,
    variant,
    chosen,
    milliseconds,
    coldMilliseconds,
    gflops: gflops(entry),
    gbPerSecond: gigabytes(entry),
    shareOfFma: shareOfFma(entry, roofs),
    shareOfCopy: shareOfCopy(entry, roofs),
    bound: one.bound,
    error,
    shareOfBound,
    overProduct,
  };
}

interface Search {
  readonly queries: number;
  readonly rows: number;
  readonly elements: number;
}

/** What the processor is to search beside a case: for the coreset, the points are asked for their nearest centre. */
function bruteForceOf({ kernel, shape }: KernelCase): Search | undefined {
  const numbers = (shape.match(/\d+/g) ?? []).map(Number);
  const [first = 0, second = 0, third = 0] = numbers;
  if (kernel === 'k-NN') return { queries: first, rows: second, elements: third };
  if (kernel === 'coreset distances') return { queries: first, rows: third, elements: second };
  return undefined;
}

async function measureBruteForce(one: KernelCase, search: Search, effort: Effort): Promise<Measured> {
  const { queries, rows, elements } = search;
  const force = startBruteForce(randomNumbers(queries * elements, 1), randomNumbers(rows * elements, 2), elements);
  try {
    await force.run();
    const milliseconds = await measure(() => force.run(), { ...effort, iterations: Math.min(3, effort.iterations) });
    return {
      one,
      variant: `brute force on ${force.threads} threads of the processor`,
      chosen: false,
      milliseconds,
      coldMilliseconds: null,
      error: null,
      shareOfBound: null,
      roofs: undefined,
      overProduct: null,
    };
  } finally {
    await force.close();
  }
}

/** The figures of the command's contract; null where the case was left out or the adapter has no such variant. */
function summarise(measured: readonly Measured[], roofs: Roofs): object {
  const figure = (value: number): number | null => (Number.isFinite(value) && value > 0 ? value : null);
  const best = (entries: readonly Measured[]): number => Math.max(...entries.map(gflops));
  const device = measured.filter(({ variant }) => !variant.startsWith('brute force'));
  const [first] = device.filter(({ one }) => one.kernel === 'conv 3×3 s1');
  const convolutions = device.filter(({ one }) => one === first?.one);
  const winograd = ({ variant }: Measured): boolean => variant.startsWith('winograd');
  const plain = convolutions.filter((entry) => !winograd(entry));
  const direct = best(plain);
  return {
    fmaRoof: roofs.fma,
    copyRoof: roofs.copy,
    directConvShareOfRoof: figure(Math.max(...plain.map((entry) => shareOfFma(entry, roofs)))),
    winogradOverDirect: figure(best(convolutions.filter(winograd)) / direct),
    knnOverGemm: figure(Math.min(...measured.map(({ overProduct }) => overProduct ?? Infinity))),
    coresetShareOfRoof: figure(
      Math.min(
        ...device.filter(({ one }) => one.kernel.startsWith('k-centre')).map((entry) => shareOfCopy(entry, roofs)),
      ),
    ),
  };
}
