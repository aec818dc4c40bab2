import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { loadBackbone } from '../../src/node/backbone.js';
import { runCli } from './run-cli.js';

let folder: string;
let board: string;
let run: string;
const small = ['--tile-size', '96', '--batch', '2', '--padim.dimensions', '8'];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tilesight-commands-'));
  board = join(folder, 'board');
  run = join(folder, 'run');
  const size = ['--size', '96', '--train', '8', '--good', '2', '--per-kind', '1'];
  const { code, stdout } = await runCli('synth', '--out', board, ...size, '--json');
  expect([code, JSON.parse(stdout)]).toEqual([0, { out: board, images: 14 }]);
  expect((await runCli('train', '--data', board, '--out', run, ...small)).code).toBe(0);
});

const children: ChildProcessByStdio<null, Readable, Readable>[] = [];
afterAll(() => {
  children.forEach((child) => child.kill('SIGKILL'));
  rmSync(folder, { recursive: true, force: true });
});

/** Starts `tilesight` in a process of its own, as a terminal would. */
function start(...words: string[]): ChildProcessByStdio<null, Readable, Readable> {
  const child = spawn(process.execPath, ['--import', './scripts/register.mjs', 'src/cli/main.ts', ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  return child;
}

/** Waits until a stream has said something. */
async function until(stream: Readable, pattern: RegExp): Promise<string> {
  let text = '';
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    text += String(chunk);
    if (pattern.test(text)) return text;
  }
  throw new Error(`ended before ${pattern.source}: ${text}`);
}

describe('help', () => {
  it.each([
    ...['demo', 'train', 'eval', 'predict', 'plan', 'synth', 'doctor', 'bench', 'weights'].map((name) => [name]),
    ...['list', 'get', 'import', 'remove'].map((name) => ['weights', name]),
  ])('%s %s has examples', async (...words) => {
    const { code, stdout, stderr } = await runCli(...words, '--help');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(new RegExp(`Examples:\n +\\$ (\\w+=\\w+ )?tilesight ${words.join(' ')}`));
  });
});

describe('a configuration file', () => {
  it('equals the options, and the command line wins', async () => {
    const file = join(folder, 'settings.yaml');
    writeFileSync(file, 'image-size: 512\ntile-size: 128x64\nshared: true\npadim:\n  dimensions: 20\n');
    const own = ['--image-size', '512', '--tile-size', '128x64', '--shared', '--padim.dimensions', '20', '--json'];
    const typed = await runCli('plan', ...own);
    expect(typed.code).toBe(0);
    expect(await runCli('plan', '--config', file, '--json')).toEqual(typed);
    const other = await runCli('plan', '--config', file, '--tile-size', '256', '--json');
    expect(JSON.parse(other.stdout)).toMatchObject({ tileSize: [256, 256], grid: [2, 2] });
  });
});

describe('Ctrl-C', () => {
  it('ends training in one line with 130, and the same command goes on', async () => {
    const words = ['train', '--data', board, '--out', join(folder, 'stopped'), '--tile-size', '32', ...small.slice(2)];
    const child = start(...words);
    await until(child.stderr, /note: image 96x96/);
    const rest = until(child.stderr, /error: .*\n/);
    child.kill('SIGINT');
    expect(await once(child, 'close')).toEqual([130, null]);
    expect(await rest).toMatch(/^error: stopped by Ctrl-C: run the same command again to go on$/m);
    expect((await runCli(...words)).code).toBe(0);
  });

  it('ends the watch over a folder, whose images are predicted as they come', async () => {
    const camera = join(folder, 'camera');
    mkdirSync(camera);
    const child = start('predict', '--run', run, '--watch', camera, '--format', 'jsonl', '--out', join(folder, 'seen'));
    const line = until(child.stdout, /\n/);
    copyFileSync(join(board, 'test', 'blob', '000.png'), join(camera, 'first.png'));
    expect(JSON.parse(await line)).toMatchObject({
      path: join(camera, 'first.png'),
      label: expect.any(String) as string,
    });
    expect(existsSync(join(folder, 'seen', 'first.png'))).toBe(true);
    child.kill('SIGINT');
    expect(await once(child, 'close')).toEqual([130, null]);
  });
});

describe('weights', () => {
  afterEach(() => vi.unstubAllEnvs());

  it('are imported, listed, damaged, found damaged, and removed', async () => {
    const { file } = await loadBackbone('mobilenet-v2', undefined);
    vi.stubEnv('TILESIGHT_CACHE', join(folder, 'cache'));
    const imported = JSON.parse((await runCli('weights', 'import', 'mobilenet-v2', file, '--json')).stdout) as {
      path: string;
    };
    expect((await runCli('weights', 'list')).stdout).toMatch(/^mobilenet-v2 +[\d.]+ MiB, sha256 .*, from /m);
    writeFileSync(imported.path, 'something else');
    expect((await runCli('weights', 'list')).stdout).toMatch(/^mobilenet-v2 +damaged: /m);
    expect((await runCli('doctor')).stdout).toMatch(/^FAIL weights mobilenet-v2 +damaged → .*import them again$/m);
    expect(await runCli('weights', 'remove', 'mobilenet-v2')).toMatchObject({
      code: 0,
      stdout: 'removed mobilenet-v2\n',
    });
    expect((await runCli('weights', 'list', '--json')).stdout).toMatch(/^\[.*\]\n$/);
  });
});
