import type { BenchOptions, BenchReport } from '../src/cli/bench.js';
import type { Gpu } from '../src/engine/gpu.js';
import { compile } from '../src/engine/plan.js';
import { loadTuning } from '../src/node/tuning.js';
import type { Reference } from '../test/kernels/harness.js';
import { startBruteForce } from './brute-force.js';
import { kernelCases, type KernelCase } from './kernel-cases.js';
import { measureProgram } from './programs.js';
import { randomNumbers } from './random.js';
import { makeReport, type Row } from './report.js';
import { measureRoofs, type Roofs } from './roofs.js';
import { measure, scaled, type Effort, type Spread } from './timing.js';
import { tuneBackbones } from './tune.js';

/** A variant at a shape with its rates; what the summary is taken from. */
interface Measured {
  readonly one: Pick<KernelCase, 'kernel' | 'shape' | 'sameSizes' | 'flops' | 'bytes' | 'bound'>;
  readonly variant: string;
  readonly chosen: boolean;
  readonly milliseconds: Spread;
  readonly coldMilliseconds: number | null;
  /** Largest error relative to the largest value, and as a share of the bound of 32-bit sums. */
  readonly error: number | null;
  readonly shareOfBound: number | null;
}

/** Every variant at the shapes of the real backbones beside the roofs, and the brute force on the processor. */
export async function benchKernels(gpu: Gpu, options: BenchOptions): Promise<BenchReport> {
  const effort: Effort = { iterations: options.samples ?? (options.tiny ? 2 : 7), time: 0 };
  options.onNote('roofs …');
  // More than any cache holds: a large device's takes 50 MB.
  const copied = options.tiny ? 2 ** 16 : gpu.profile.class === 'hardware' ? 2 ** 26 : 2 ** 24;
  const before = await measureRoofs(gpu, effort, copied);
  const tuning = await loadTuning(gpu);
  const measured: Measured[] = [];
  for (const make of kernelCases(gpu, options.tiny === true)) {
    options.signal.throwIfAborted();
    const one = make();
    if (!`${one.kernel} ${one.shape}`.includes(options.only ?? '')) continue;
    const planning = { adapter: gpu.profile, ...(tuning && { tuning }) };
    const plain = compile(one.graph, planning);
    const own = [...plain.alternatives].find(([key]) => key.startsWith(`${one.operator}|`));
    const variants = own?.[1] ?? ['the only one'];
    const chosen = own ? (plain.choices.get(own[0]) ?? '') : 'the only one';
    const reference = one.reference?.();
    for (const variant of variants) {
      options.signal.throwIfAborted();
      options.onNote(`${one.kernel} ${one.shape}: ${variant}`);
      const plan = own ? compile(one.graph, { ...planning, kernels: { [one.operator ?? '']: variant } }) : plain;
      const result = await measureProgram(gpu, plan, effort, {
        read: one.outputs,
        ...(one.prepare && { prepare: one.prepare }),
      });
      const difference = reference && result.outputs[0] ? compare(result.outputs[0], reference) : undefined;
      measured.push({
        one,
        variant,
        chosen: variant === chosen,
        milliseconds: scaled(result.milliseconds, 1 / (one.repeats ?? 1)),
        coldMilliseconds: result.coldMilliseconds,
        error: difference?.error ?? null,
        shareOfBound: difference?.shareOfBound ?? null,
      });
    }
    const search = bruteForceOf(one);
    if (search) measured.push(await measureBruteForce(one, search, effort));
  }
  // A roof is what can be reached: the higher of two measurements, so that a busy moment does not lower it.
  const after = await measureRoofs(gpu, effort, copied);
  const roofs = higherRoofs(before, after);
  const rows = [
    ...roofRows(roofs),
    ...measured.map((entry) => row(entry, roofs)),
    ...(options.tune ? await tuneBackbones(gpu, options) : []),
  ];
  return makeReport(gpu, rows, summarise(measured, roofs));
}

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

type MeasuredRoofs = Awaited<ReturnType<typeof measureRoofs>>;

function higherRoofs(a: MeasuredRoofs, b: MeasuredRoofs): MeasuredRoofs {
  const [fma, copy] = [a.fma > b.fma ? a : b, a.copy > b.copy ? a : b];
  return { fma: fma.fma, copy: copy.copy, spreads: { fma: fma.spreads.fma, copy: copy.spreads.copy } };
}

function roofRows(roofs: MeasuredRoofs): Row[] {
  return [
    { roof: 'multiply-adds', gflops: roofs.fma, gbPerSecond: null, milliseconds: roofs.spreads.fma },
    { roof: 'copy', gflops: null, gbPerSecond: roofs.copy, milliseconds: roofs.spreads.copy },
  ];
}

const gflops = ({ one, milliseconds }: Measured): number => one.flops / milliseconds.median / 1e6;
const gigabytes = ({ one, milliseconds }: Measured): number => one.bytes / milliseconds.median / 1e6;

function row(entry: Measured, roofs: Roofs): Row {
  const { one, variant, chosen, milliseconds, coldMilliseconds, error, shareOfBound } = entry;
  return {
    kernel: one.kernel,
    shape: one.shape,
    variant,
    chosen,
    milliseconds,
    coldMilliseconds,
    gflops: gflops(entry),
    gbPerSecond: gigabytes(entry),
    shareOfFma: gflops(entry) / roofs.fma,
    shareOfCopy: gigabytes(entry) / roofs.copy,
    error,
    shareOfBound,
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
    };
  } finally {
    await force.close();
  }
}

/** The figures of the command's contract; null where the case was left out or the adapter has no such variant. */
function summarise(measured: readonly Measured[], roofs: Roofs): object {
  const best = (entries: readonly Measured[]): number => Math.max(...entries.map(gflops));
  const measurable = (value: number): boolean => Number.isFinite(value) && value > 0;
  const share = (value: number, of: number): number | null => (measurable(value) && measurable(of) ? value / of : null);
  const device = measured.filter((entry) => !entry.variant.startsWith('brute force'));
  const [convolution] = device.filter(({ one }) => one.kernel === 'conv 3×3 s1').map(({ one }) => one.shape);
  const convolutions = device.filter(({ one }) => one.kernel === 'conv 3×3 s1' && one.shape === convolution);
  const winograd = (entry: Measured): boolean => entry.variant.startsWith('winograd');
  const direct = best(convolutions.filter((entry) => !winograd(entry)));
  // Products in 16 bits are no measure of what ranks in 32.
  const product = (shape: string | undefined): number =>
    best(
      device.filter(({ one, variant }) => one.kernel === 'GEMM' && one.shape === shape && !/f16|matrix/.test(variant)),
    );
  const shapesOf = (entries: readonly Measured[]): Measured[][] =>
    [...new Set(entries.map(({ one }) => `${one.kernel} ${one.shape}`))].map((name) =>
      entries.filter(({ one }) => `${one.kernel} ${one.shape}` === name),
    );
  const searches = shapesOf(device.filter(({ one }) => one.kernel === 'k-NN'));
  const overProduct = searches.map((entries) => best(entries) / product(entries[0]?.one.sameSizes));
  const ofRoof = (entry: Measured): number => Math.max(gflops(entry) / roofs.fma, gigabytes(entry) / roofs.copy);
  const coresets = shapesOf(device.filter(({ one }) => /^(coreset|k-centre)/.test(one.kernel)));
  return {
    fmaRoof: roofs.fma,
    copyRoof: roofs.copy,
    directConvShareOfRoof: share(direct, roofs.fma),
    winogradOverDirect: share(best(convolutions.filter(winograd)), direct),
    knnOverGemm: share(Math.min(...overProduct), 1),
    coresetShareOfRoof: share(Math.min(...coresets.map((entries) => Math.max(...entries.map(ofRoof)))), 1),
  };
}
