import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lossPart } from '../../src/ensemble/fit.js';
import { positionPart } from '../../src/ensemble/run.js';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** The folder with the real category and the weights; undefined where there is none. */
export function shared(): string | undefined {
  const folder = process.env['TILESIGHT_SHARED'] ?? join(root, '..', 'shared');
  return existsSync(join(folder, 'data')) ? folder : undefined;
}

/** A command line's outcome. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

/** Runs `tilesight` as a user would, in a process of its own. */
export function tilesight(
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const program = ['--import', join(root, 'scripts', 'register.mjs'), join(root, 'src', 'cli', 'main.ts')];
  return runProgram(process.execPath, [...program, ...words], root, environment);
}

/** The metrics that `train` prints. */
export interface TrainedMetrics {
  readonly imageAUROC: number;
  readonly pixelAUROC: number;
  readonly pixelAUPRO: number;
  readonly imageAUROCMaximum: number;
  readonly imageAUROCMean: number;
}

/** The JSON that `train` prints. */
export interface Trained {
  readonly metrics: TrainedMetrics;
  readonly memory: { readonly peakBytes: number; readonly plannedBytes: number };
  readonly seconds: { readonly train: number; readonly total: number };
}

/** The same with what the run's folder says. */
export interface TrainedRun extends Trained {
  /** Losses of the first position's steps, of models that have such. */
  readonly losses: readonly number[];
}

/** Trains in a temporary folder and gives the JSON, and the losses out of the folder. */
export async function trainJson(words: readonly string[]): Promise<TrainedRun> {
  const folder = mkdtempSync(join(tmpdir(), 'tilesight-acceptance-'));
  try {
    const { code, stdout, stderr } = await tilesight(['train', ...words, '--json', '--out', join(folder, 'run')]);
    if (code !== 0) throw new Error(`tilesight train ${words.join(' ')} ended with ${code}: ${stderr.slice(-600)}`);
    const file = join(folder, 'run', lossPart(positionPart(0, 0)));
    const losses = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as number[]) : [];
    return { ...(JSON.parse(stdout) as Trained), losses };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A line with a figure, its bound, and whether it holds. */
export function report(what: string, figure: number, bound: number, direction: '≥' | '≤' = '≥'): boolean {
  const holds = direction === '≥' ? figure >= bound : figure <= bound;
  console.log(`${holds ? 'holds' : 'FAILS'}  ${what}: ${Number(figure.toPrecision(5))} (${direction} ${bound})`);
  return holds;
}

/** Whether all hold; looks at every one. */
export const all = (results: readonly boolean[]): boolean => results.every(Boolean);

/** Runs a program to its end in a folder. */
export function runProgram(
  program: string,
  words: readonly string[],
  folder: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, {
      cwd: folder,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      // npm is a script there, Node itself is not.
      shell: process.platform === 'win32' && program !== process.execPath,
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.on('error', reject);
    child.on('close', (code) =>
      resolve({ code: code ?? -1, stdout, stderr, seconds: (performance.now() - started) / 1000 }),
    );
  });
}

/** The packed package. */
export interface Packed {
  readonly file: string;
  readonly unpackedBytes: number;
  readonly paths: readonly string[];
}

/** Builds and packs the package into a folder. */
export async function packPackage(folder: string): Promise<Packed> {
  // The build prints, so it runs by itself and the JSON stays whole.
  const built = await runProgram('npm', ['run', '--silent', 'build'], root);
  const words = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
  const packed = built.code === 0 ? await runProgram('npm', words, root) : built;
  if (packed.code !== 0) throw new Error(`packing ended with ${packed.code}: ${packed.stderr.slice(-600)}`);
  const [made] = JSON.parse(packed.stdout) as {
    filename: string;
    unpackedSize: number;
    files: { path: string }[];
  }[];
  if (!made) throw new Error('npm packed nothing');
  return {
    file: join(folder, made.filename),
    unpackedBytes: made.unpackedSize,
    paths: made.files.map(({ path }) => path),
  };
}

/** A project of a user's with the packed package installed, in an empty folder. */
export async function installPackage(folder: string, { file }: Packed): Promise<void> {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "name": "user", "private": true, "type": "module" }\n');
  const { code, stderr } = await runProgram('npm', ['install', '--no-audit', '--no-fund', file], folder);
  if (code !== 0) throw new Error(`npm install ended with ${code}: ${stderr.slice(-600)}`);
}

/** A line with what must be so, and whether it is; `why` is shown where it is not. */
export function holds(what: string, so: boolean, why = ''): boolean {
  console.log(`${so ? 'holds' : 'FAILS'}  ${what}${so || why === '' ? '' : `: ${why}`}`);
  return so;
}
