import { mkdtemp, mkdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchOptions, BenchReport } from '../src/cli/bench.js';
import type { Gpu } from '../src/engine/gpu.js';
import { adapterPeers, engineNames, type EngineName, type NetworkJob } from './engines/engine.js';
import { startEngine, warmRun, type EngineProcess } from './engines/process.js';
import { installPeers } from './peers.js';
import { floatsOf, prepareNetwork, type PreparedNetwork } from './prepare.js';
import { makeReport, type Row } from './report.js';
import { interleave, spread, type Spread } from './timing.js';
import { benchWeights, type BenchNetwork } from './weights.js';

/** Turns the driver's cache of compiled shaders off, as on the first run of a machine. */
const withoutShaderCache = { MESA_SHADER_CACHE_DISABLE: 'true' };

interface Case {
  readonly network: BenchNetwork;
  readonly batch: number;
  readonly size: number;
}

/**
 * Backbones with upload of a float image and read-back of three layers: ours, and with `--peers` the other runtimes, the
 * same weights, turn by turn, one running at a time; outputs compared; cold starts in fresh processes.
 */
export async function benchBackbone(gpu: Gpu, options: BenchOptions): Promise<BenchReport> {
  if (options.peers) installPeers(options.onNote);
  const cases: Case[] = options.tiny
    ? [
        { network: 'resnet18', batch: 1, size: 64 },
        { network: 'mobilenet-v2', batch: 1, size: 64 },
      ]
    : (['resnet18', 'mobilenet-v2'] as const)
        .flatMap((network) => [1, 8].map((batch) => ({ network, batch, size: 256 })))
        .filter((one) => caseName(one).includes(options.only ?? ''));
  const folder = await mkdtemp(join(tmpdir(), 'tilesight-bench-'));
  const names = options.peers ? engineNames : engineNames.slice(0, 1);
  const rows: Row[] = [];
  const summary: Record<string, object> = {};
  const engines = names.map((name) => startEngine(name));
  try {
    for (const one of cases) {
      options.signal.throwIfAborted();
      const prepared = await prepare(folder, one, options);
      const measured = await measureWarm(engines, prepared, one, options);
      rows.push(...measured);
      // Batch 1 is what the ratio is about; the larger batch stands in the rows.
      if (options.peers && one.batch === 1)
        summary[one.network] = { ratioToFastestPeer: ratio(measured, 'milliseconds') };
    }
  } finally {
    for (const engine of engines) engine.close();
  }
  try {
    // Cold starts take minutes on a software adapter, whatever the size.
    for (const one of options.cold && !options.tiny ? cases.filter(({ batch }) => batch === 1) : []) {
      const cold = await measureCold(
        names.filter((name) => !name.endsWith('WASM')),
        folder,
        one,
        options,
      );
      rows.push(...cold);
      if (options.peers)
        Object.assign(summary[one.network] ?? {}, { coldRatioToFastestPeer: ratio(cold, 'coldStart') });
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return makeReport(gpu, rows, summary);
}

const caseName = ({ network, batch }: Case): string => `${network} batch ${batch}`;

interface Prepared {
  readonly job: NetworkJob;
  readonly network: PreparedNetwork;
}

const caseFolder = (folder: string, { network, batch, size }: Case): string =>
  join(folder, `${network}-${batch}-${size}`);

async function prepare(folder: string, one: Case, options: BenchOptions): Promise<Prepared> {
  const file = one.network === 'resnet18' ? options.weights : undefined;
  const weights = await benchWeights(one.network, { file, random: options.tiny === true });
  options.onNote(`${caseName(one)}, ${one.size}²: weights ${weights.provenance}`);
  const path = caseFolder(folder, one);
  const network = await prepareNetwork(path, one.network, weights, one.batch, one.size);
  return { job: { folder: path, kernels: options.kernel ?? {} }, network };
}

/** Loads a case in all engines, takes the first run of each apart, and samples the rest turn by turn. */
async function measureWarm(
  engines: readonly EngineProcess[],
  { job, network }: Prepared,
  one: Case,
  options: BenchOptions,
): Promise<Row[]> {
  const first = new Map<EngineName, number>();
  const outputs = new Map<EngineName, Float32Array[]>();
  for (const engine of engines) {
    options.signal.throwIfAborted();
    const load = await engine.ask({ type: 'load', job });
    const run = await engine.ask({ type: 'run' });
    first.set(engine.name, load + run);
    const folder = join(job.folder, engine.name.replaceAll(' ', '-'));
    await mkdir(folder, { recursive: true });
    await engine.ask({ type: 'outputs', folder });
    outputs.set(
      engine.name,
      await Promise.all(
        network.taps.map(async (_, index) => floatsOf(await readFile(join(folder, `tap${index}.bin`)))),
      ),
    );
    options.onNote(`  ${engine.name}: loaded and first run in ${Math.round(load + run)} ms`);
  }
  const tasks = new Map(engines.map((engine) => [engine.name as string, warmRun(engine, options.signal)]));
  const iterations = options.samples ?? (options.tiny ? 2 : one.batch === 1 ? 15 : 5);
  const samples = await interleave(tasks, { iterations, time: 0 });
  const own = outputs.get('tilesight') ?? [];
  return engines.map(({ name }): Row => {
    const milliseconds = spread(samples.get(name) ?? []);
    const { error, bound } = compareTaps(own, outputs.get(name) ?? [], network.terms);
    return {
      network: one.network,
      batch: one.batch,
      size: one.size,
      engine: name,
      milliseconds,
      firstMilliseconds: first.get(name) ?? null,
      ...(engines.length > 1 && {
        differenceToOurs: error,
        scaledBound: bound,
        withinBound: error <= bound,
      }),
    };
  });
}

/**
 * Largest difference of two engines' taps, in units of the tap's largest value, and the bound for it: both sum in 32 bits,
 * each sum of K terms is wrong by at most about 2·K·2⁻²⁴ of its magnitude, and the layers' errors add up.
 */
export function compareTaps(
  own: readonly Float32Array[],
  other: readonly Float32Array[],
  terms: readonly number[],
): { error: number; bound: number } {
  let worst = { error: 0, bound: 2 * (terms[0] ?? 0) * 2 ** -24 };
  own.forEach((values, index) => {
    const theirs = other[index] ?? new Float32Array();
    let difference = values.length === theirs.length ? 0 : Infinity;
    let largest = 0;
    for (let i = 0; i < values.length; i++) {
      const [a, b] = [values[i] ?? NaN, theirs[i] ?? NaN];
      const apart = Math.abs(a - b);
      if (!(apart <= difference)) difference = Number.isNaN(apart) ? Infinity : apart;
      largest = Math.max(largest, Math.abs(a));
    }
    const found = { error: difference / largest, bound: 2 * (terms[index] ?? 0) * 2 ** -24 };
    if (found.error / found.bound > worst.error / worst.bound) worst = found;
  });
  return worst;
}

/** From the start of a process to its first result, without the driver's shader cache. */
async function measureCold(
  names: readonly EngineName[],
  folder: string,
  one: Case,
  options: BenchOptions,
): Promise<Row[]> {
  const job = { folder: caseFolder(folder, one), kernels: options.kernel ?? {} };
  const start = (name: EngineName) => async (): Promise<number> => {
    options.signal.throwIfAborted();
    const started = performance.now();
    const engine = startEngine(name, withoutShaderCache);
    try {
      await engine.ask({ type: 'load', job });
      await engine.ask({ type: 'run' });
      return performance.now() - started;
    } finally {
      engine.close();
    }
  };
  const samples = await interleave(new Map(names.map((name) => [name as string, start(name)])), {
    iterations: Math.min(3, options.samples ?? 3),
    time: 0,
  });
  return names.map((engine) => ({
    network: one.network,
    batch: one.batch,
    size: one.size,
    engine,
    coldStart: spread(samples.get(engine) ?? []),
  }));
}

/** How many times as long the fastest peer on the adapter takes. */
function ratio(rows: readonly Row[], column: 'milliseconds' | 'coldStart'): number {
  const median = (name: EngineName): number =>
    (rows.find((row) => row['engine'] === name)?.[column] as Spread | undefined)?.median ?? NaN;
  return Math.min(...adapterPeers.map(median)) / median('tilesight');
}
