import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

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
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      ['--import', join(root, 'scripts', 'register.mjs'), join(root, 'src', 'cli', 'main.ts'), ...words],
      { cwd: root, env: { ...process.env, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] },
    );
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
  readonly seconds: { readonly total: number };
}

/** Trains in a temporary folder and gives the JSON. */
export async function trainJson(words: readonly string[]): Promise<Trained> {
  const folder = mkdtempSync(join(tmpdir(), 'tilesight-acceptance-'));
  try {
    const { code, stdout, stderr } = await tilesight(['train', ...words, '--json', '--out', join(folder, 'run')]);
    if (code !== 0) throw new Error(`tilesight train ${words.join(' ')} ended with ${code}: ${stderr.slice(-600)}`);
    return JSON.parse(stdout) as Trained;
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
