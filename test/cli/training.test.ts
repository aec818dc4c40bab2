import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { errorLine, runCli } from './run-cli.js';

let folder: string;
let board: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tilesight-training-'));
  board = join(folder, 'board');
  const drawn = await runCli('synth', '--out', board, '--size', '64', '--train', '8', '--good', '2', '--per-kind', '1');
  expect(drawn.code).toBe(0);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const words = (out: string, ...more: readonly string[]): string[] => [
  ...['train', '--data', board, '--out', out, '--model', 'fastflow', '--backbone', 'mobilenet-v2', '--tile-size', '64'],
  ...['--batch', '2', '--fastflow.flow-steps', '1', '--no-check', ...more],
];

/** Every file that makes up a run, by name. */
function parts(run: string): Map<string, string> {
  const tiles = readdirSync(join(run, 'tiles')).map((file) => join('tiles', file));
  return new Map(
    ['run.json', 'stats.json', ...tiles.sort()].map((name) => [name, readFileSync(join(run, name), 'base64')]),
  );
}

describe('training on the command line', () => {
  it('goes on after SIGKILL in the middle of a position, with the same final bytes', async () => {
    const more = ['--steps', '8', '--fastflow.checkpoint-steps', '2'];
    const [whole, killed] = [join(folder, 'whole'), join(folder, 'killed')];
    const child = spawn(
      process.execPath,
      ['--import', './scripts/register.mjs', 'src/cli/main.ts', ...words(killed, ...more)],
      { stdio: 'ignore' },
    );
    const closed = once(child, 'close') as Promise<[number | null, string | null]>;
    const checkpoint = join(killed, 'tiles', '0-0.checkpoint.safetensors');
    while (!existsSync(checkpoint) && child.exitCode === null) await delay(5);
    child.kill('SIGKILL');
    expect(await closed).toEqual([null, 'SIGKILL']);
    expect(existsSync(checkpoint)).toBe(true);
    expect(existsSync(join(killed, 'tiles', '0-0.safetensors'))).toBe(false);

    for (const out of [killed, whole]) {
      const { code, stderr } = await runCli(...words(out, ...more));
      expect(stderr).not.toContain('error');
      expect(code).toBe(0);
    }
    expect(parts(killed)).toEqual(parts(whole));
    const losses = JSON.parse(readFileSync(join(whole, 'tiles', '0-0.loss.json'), 'utf8')) as number[];
    expect(losses).toHaveLength(8);
    expect((losses.at(-1) ?? NaN) < (losses[0] ?? NaN)).toBe(true);
    expect(readFileSync(join(whole, 'report', 'index.html'), 'utf8')).toContain('Training loss');
  }, 300_000);

  it('counts epochs, takes a learning rate, and ends early on a plateau', async () => {
    const out = join(folder, 'early');
    const more = ['--epochs', '10', '--learning-rate', '0', '--fastflow.stop', 'plateau'];
    const { code, stderr } = await runCli(
      ...words(out, ...more, '--fastflow.stop-steps', '4', '--fastflow.patience', '2'),
    );
    const ended = Number(/training ended early after (\d+) of 35 steps/.exec(stderr)?.[1]);
    expect(ended % 4).toBe(0);
    expect(ended).toBeGreaterThanOrEqual(12);
    expect(code).toBe(0);
    const losses = JSON.parse(readFileSync(join(out, 'tiles', '0-0.loss.json'), 'utf8')) as number[];
    expect(losses).toHaveLength(ended);
  });

  it('refuses steps of a model that takes none', async () => {
    const outcome = await runCli('train', '--data', board, '--out', join(folder, 'none'), '--epochs', '3');
    expect(errorLine(outcome)).toMatch(/--epochs: the model padim does not train in steps/);
    expect(outcome.code).toBe(2);
  });
});
