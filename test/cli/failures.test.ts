import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { errorLine, runCli } from './run-cli.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** The command line in a process of its own. */
const program = [
  process.execPath,
  '--import',
  join(root, 'scripts', 'register.mjs'),
  join(root, 'src', 'cli', 'main.ts'),
];

let folder: string;
let board: string;
let whole: string;
const small = ['--tile-size', '48', '--batch', '2', '--padim.dimensions', '20', '--no-check'];
const parts = ['0-0', '0-1', '1-0', '1-1'].map((name) => `tiles/${name}.safetensors`);

/** Digest of the files that make up a run. */
function digest(run: string): string {
  const hash = createHash('sha256');
  for (const name of ['run.json', 'stats.json', ...parts]) hash.update(readFileSync(join(run, name)));
  return hash.digest('hex');
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tilesight-failures-'));
  board = join(folder, 'board');
  whole = join(folder, 'whole');
  const drawn = await runCli(
    'synth',
    '--out',
    board,
    '--size',
    '96',
    '--train',
    '12',
    '--good',
    '1',
    '--per-kind',
    '1',
  );
  expect(drawn.code).toBe(0);
  expect((await runCli('train', '--data', board, '--out', whole, ...small)).code).toBe(0);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Whether this system lets a process mount a small disk of its own. */
const canMount =
  process.platform === 'linux' &&
  spawnSync('unshare', ['-rm', 'sh', '-c', 'mount -t tmpfs -o size=64k tmpfs /mnt && mount -o remount,size=128k /mnt'])
    .status === 0;

describe('out of disk', () => {
  it('ends in one line, keeps what is finished, and the same command goes on: the same bytes', ({ skip }) => {
    skip(!canMount, 'this system lets no process mount a disk of its own');
    const disk = join(folder, 'disk');
    mkdirSync(disk);
    // A part has about 133 kB: two fit beside the manifest, the third does not. Then the disk grows.
    const script = `
        mount -t tmpfs -o size=400k tmpfs "$1"; disk=$1; shift
        "$@" 2> "$disk.first"; echo "first $?"
        ls "$disk/run/tiles" | tr '\\n' ' '; stat -c %Y.%i "$disk/run/tiles/0-0.safetensors"
        mount -o remount,size=16m "$disk"
        "$@" 2> "$disk.second"; echo "second $?"
        stat -c %Y.%i "$disk/run/tiles/0-0.safetensors"
        cp -r "$disk/run" "$disk.run"`;
    const words = ['train', '--data', board, '--out', join(disk, 'run'), ...small];
    const output = execFileSync('unshare', ['-rm', 'sh', '-c', script, 'sh', disk, ...program, ...words], {
      encoding: 'utf8',
      cwd: root,
    });
    const stderr = readFileSync(`${disk}.first`, 'utf8');
    expect(errorLine({ code: 1, stdout: '', stderr })).toMatch(
      /cannot write .*\/tiles\/1-0\.safetensors: no space left on the disk; free some space .* run the same command again$/,
    );
    const lines = output.split('\n');
    expect(lines).toContain('first 1');
    expect(lines).toContain('second 0');
    // The first two parts and no half-written one; they are not written again.
    const [names, before] = /^(.* )(\d+\.\d+)$/m.exec(output)?.slice(1) ?? [];
    expect(names?.trim()).toBe('0-0.safetensors 0-1.safetensors');
    expect(lines.filter((line) => line === before)).toHaveLength(1);
    expect(digest(`${disk}.run`)).toBe(digest(whole));
  });
});

describe('a damaged part', () => {
  it('is refused by predict, and made anew by the same train command', async () => {
    const run = join(folder, 'damaged');
    cpSync(whole, run, { recursive: true });
    const part = join(run, 'tiles', '1-0.safetensors');
    writeFileSync(part, readFileSync(part).subarray(0, 1000));
    const image = join(board, 'test', 'good', '000.png');
    const refused = await runCli('predict', '--run', run, image);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(errorLine(refused)).toMatch(/tiles\/1-0\.safetensors is damaged .*train again with the same command/);
    const kept = statSync(join(run, 'tiles', '0-0.safetensors')).mtimeMs;
    const again = await runCli('train', '--data', board, '--out', run, ...small);
    expect(again.code).toBe(0);
    expect(again.stderr).toMatch(/^note: .*tiles\/1-0\.safetensors is missing or damaged: it is made again$/m);
    expect(statSync(join(run, 'tiles', '0-0.safetensors')).mtimeMs).toBe(kept);
    expect(digest(run)).toBe(digest(whole));
  });
});

describe('an image that vanishes between listing and reading', () => {
  it('ends training in one line, keeps the positions that are fitted, and the same command goes on', async () => {
    const data = join(folder, 'vanishing');
    const run = join(folder, 'vanished');
    cpSync(board, data, { recursive: true });
    // Held-out images are read after all positions are fitted.
    const { configuration } = JSON.parse(readFileSync(join(whole, 'run.json'), 'utf8')) as {
      configuration: { trainingImages: string[] };
    };
    const images = readdirSync(join(data, 'train', 'good'));
    const heldOut = images.find((name) => !configuration.trainingImages.some((used) => used.endsWith(name)));
    if (heldOut === undefined) throw new Error('no image is held out');
    const path = join(data, 'train', 'good', heldOut);
    renameSync(path, join(folder, heldOut));
    symlinkSync(join(folder, 'nowhere.png'), path);
    const train = ['train', '--data', data, '--out', run, ...small];
    const stopped = await runCli(...train);
    expect(stopped).toMatchObject({ code: 1, stdout: '' });
    expect(errorLine(stopped)).toContain(`cannot read image ${path}: it does not exist`);
    const fitted = parts.map((part) => statSync(join(run, part)).mtimeMs);
    rmSync(path);
    renameSync(join(folder, heldOut), path);
    expect((await runCli(...train)).code).toBe(0);
    expect(parts.map((part) => statSync(join(run, part)).mtimeMs)).toEqual(fitted);
    expect(digest(run)).toBe(digest(whole));
  });

  it('ends prediction in one line after the results of all images before it', async () => {
    const photographs = join(folder, 'photographs');
    mkdirSync(photographs);
    const names = Array.from({ length: 200 }, (_, index) => `${String(index).padStart(3, '0')}.png`);
    for (const name of names) cpSync(join(board, 'test', 'good', '000.png'), join(photographs, name));
    const words = ['predict', '--run', whole, photographs];
    const [node = '', ...rest] = program;
    const child = spawn(node, [...rest, ...words], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      // The folder has been listed by the time of the first result.
      if (stdout === '') rmSync(join(photographs, '190.png'));
      stdout += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect(errorLine({ code: 1, stdout, stderr })).toContain('190.png: it does not exist; check the path');
    expect(code).toBe(1);
    const printed = stdout.trimEnd().split('\n');
    expect(printed).toHaveLength(190);
    expect(new Set(printed.map((line) => line.slice(line.indexOf('.png'))))).toHaveProperty('size', 1);
  });
});
