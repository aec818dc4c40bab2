import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { report, tilesight } from './support.js';

/** Digest of the files that make up a run. */
function digest(run: string): string {
  const hash = createHash('sha256');
  for (const name of [
    'run.json',
    'stats.json',
    ...readdirSync(join(run, 'tiles')).map((file) => `tiles/${file}`),
  ].sort()) {
    hash.update(name).update(readFileSync(join(run, name)));
  }
  return hash.digest('hex');
}

/** Kills a training run (SIGKILL) at 20 moments and goes on: the same final bytes as an uninterrupted run. */
export async function run(): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'tilesight-kill-'));
  try {
    const data = join(folder, 'board');
    await tilesight(['synth', '--out', data, '--size', '192', '--train', '16', '--good', '2', '--per-kind', '1']);
    const words = (out: string): string[] => [
      'train',
      '--data',
      data,
      '--tile-size',
      '64',
      '--padim.dimensions',
      '20',
      '--no-check',
      '--out',
      out,
    ];
    const whole = join(folder, 'whole');
    const { code, seconds, stderr } = await tilesight(words(whole));
    if (code !== 0) throw new Error(stderr);
    const wanted = digest(whole);
    let same = 0;
    let killed = 0;
    for (let round = 0; round < 20; round++) {
      const out = join(folder, `killed-${round}`);
      // Moments spread over the run by the golden ratio: reproducible, and never all in one stage.
      const moment = ((round * 0.618034) % 1) * seconds;
      killed += (await killAfter(words(out), moment)) ? 1 : 0;
      const again = await tilesight(words(out));
      if (again.code === 0 && existsSync(join(out, 'run.json')) && digest(out) === wanted) same += 1;
      else console.log(`round ${round}: exit ${again.code} ${again.stderr.slice(-300)}`);
      rmSync(out, { recursive: true, force: true });
    }
    console.log(`a run takes ${seconds.toFixed(1)} s; ${killed} of 20 were killed before they ended`);
    return report('runs with the same final bytes', same, 20);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Starts the command and kills it after some seconds; false when it ended before. */
async function killAfter(words: readonly string[], seconds: number): Promise<boolean> {
  const child = spawn(process.execPath, ['--import', './scripts/register.mjs', 'src/cli/main.ts', ...words], {
    stdio: 'ignore',
  });
  const closed = new Promise<boolean>((resolve) => child.on('close', (_code, signal) => resolve(signal === 'SIGKILL')));
  await delay(seconds * 1000);
  child.kill('SIGKILL');
  return closed;
}
