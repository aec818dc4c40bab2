import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Argument, Option, type Command } from 'commander';
import { TilesightError } from '../engine/errors.js';
import { writeFileAtomic } from '../node/files.js';
import { command } from './command.js';
import { cancelOnInterrupt, print, remark } from './terminal.js';
import { parseKernels, wholeNumber } from './values.js';

/** What can be measured. */
export const benchNames = ['kernels', 'backbone', 'ensemble', 'memory'] as const;

/** Options of `tilesight bench`, as the files in `bench/` are given them. */
export interface BenchOptions {
  readonly what: (typeof benchNames)[number];
  /** Also measures onnxruntime-web and TensorFlow.js. */
  readonly peers?: boolean;
  /** Measures all variants and keeps the winners. */
  readonly tune?: boolean;
  /** Training steps instead of inference. */
  readonly training?: boolean;
  /** Sizes that take seconds: checks that everything runs. */
  readonly tiny?: boolean;
  /** Largest image side of `memory`. */
  readonly limitSize: number;
  /** Samples a row. */
  readonly samples?: number;
  /** ResNet-18's weights. */
  readonly weights?: string;
  readonly kernel?: Readonly<Record<string, string>>;
  /** Cold starts in fresh processes too. */
  readonly cold: boolean;
  /** Only cases whose name contains this text. */
  readonly only?: string;
  /** File for a trace of where the time goes. */
  readonly profile?: string;
  readonly signal: AbortSignal;
  /** Told what is being measured. */
  readonly onNote: (line: string) => void;
}

/** What every bench prints with `--json`. */
export interface BenchReport {
  readonly adapter: object;
  readonly date: string;
  readonly version: string;
  readonly rows: readonly object[];
  readonly summary: object;
}

/** The module in `bench/`. */
interface BenchModule {
  runBench(options: BenchOptions): Promise<BenchReport>;
  benchTable(report: BenchReport): string;
}

interface CommandOptions extends Omit<BenchOptions, 'what' | 'signal' | 'onNote'> {
  json?: boolean;
  out?: string;
}

/** `tilesight bench`: measurements of kernels, backbones, the ensemble and its memory. */
export function benchCommand(): Command {
  return command('bench', 'Measure kernels, backbones, the ensemble or its memory on this adapter (in a checkout).', [
    'tilesight bench kernels --tune',
    'tilesight bench backbone --peers --json --out backbone.json',
    'tilesight bench ensemble',
    'tilesight bench memory --limit-size 4096',
  ])
    .addArgument(new Argument('<what>', 'what to measure').choices(benchNames))
    .option('--peers', 'measure onnxruntime-web and TensorFlow.js beside (installed on first need)')
    .option('--tune', 'kernels: measure all variants of every choice and keep the winners for this adapter')
    .option('--training', 'ensemble: measure training steps')
    .option('--tiny', 'sizes that take seconds, to see that everything runs')
    .option('--samples <n>', 'samples of each figure', wholeNumber(1))
    .option('--limit-size <n>', 'memory: largest image side in pixels', wholeNumber(256), 2048)
    .option('--only <text>', 'kernels, backbone: only cases whose name contains the text')
    .option('--no-cold', 'backbone: leave out cold starts in fresh processes')
    .option('--weights <file>', "backbone: ResNet-18's weights (default: the cache, else random ones)")
    .addOption(new Option('--kernel <op=variant>', 'force a kernel variant (repeatable)').argParser(parseKernels))
    .option('--profile <file>', 'backbone, ensemble: print time by kernel and stage, and write a trace to the file')
    .option('--out <file>', 'also write the JSON to a file')
    .action(async (what: BenchOptions['what'], { json, out, ...options }: CommandOptions) => {
      const bench = await loadBench();
      const report = await bench.runBench({ ...options, what, signal: cancelOnInterrupt(), onNote: remark });
      if (out !== undefined) await writeFileAtomic(out, `${JSON.stringify(report, undefined, 1)}\n`);
      print(json ? JSON.stringify(report) : bench.benchTable(report));
    });
}

/** The bench is TypeScript beside the sources, with development dependencies: the published package has none of it. */
async function loadBench(): Promise<BenchModule> {
  const entry = new URL('../../bench/index.ts', import.meta.url);
  if (!import.meta.url.endsWith('.ts') || !existsSync(fileURLToPath(entry))) {
    throw new TilesightError(
      'usage',
      'the bench is not part of the installed package: run `npm run --silent tilesight -- bench` in a checkout of the repository',
    );
  }
  return (await import(entry.href)) as BenchModule;
}
