import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync, readFileSync, cpSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync, crc32 } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeSafetensors } from '../../src/models/weights/safetensors.js';
import { errorLine, runCli } from './run-cli.js';

let folder: string;
let board: string;
let run: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tilesight-errors-'));
  board = join(folder, 'board');
  run = join(folder, 'run');
  const drawn = await runCli('synth', '--out', board, '--size', '96', '--train', '8', '--good', '2', '--per-kind', '1');
  expect(drawn.code).toBe(0);
  const trained = await runCli('train', '--data', board, '--out', run, ...small);
  expect(trained.stderr).not.toContain('error');
  expect(trained.code).toBe(0);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const small = ['--tile-size', '96', '--batch', '2', '--padim.dimensions', '8'];

/** Expects the command to end with the code and one error line that matches. */
async function refused(code: number, pattern: RegExp, ...words: string[]): Promise<void> {
  const outcome = await runCli(...words);
  expect(outcome.stdout).toBe('');
  expect(errorLine(outcome)).toMatch(pattern);
  expect(outcome.code).toBe(code);
}

/** A copy of the board with one training image replaced. */
function boardWith(name: string, change: (path: string) => void): string {
  const copy = join(folder, name);
  cpSync(board, copy, { recursive: true });
  change(join(copy, 'train', 'good', '000.png'));
  return copy;
}

describe('usage', () => {
  it.each([
    [/unknown command 'fly'/, ['fly']],
    [/unknown option '--fly'/, ['train', '--fly']],
    [/--model.*padim/, ['train', '--model', 'fly', '--data', 'x', '--out', 'y']],
    [/no images: give --data/, ['train', '--out', 'y']],
    [/give a whole number from 1 on/, ['train', '--batch', '0']],
    [/give a number of pixels, as 256/, ['plan', '--image-size', 'big']],
    [/give bytes, as 512MiB/, ['plan', '--memory', 'lots']],
    [
      /--patchcore.ratio belongs to --model patchcore|unknown option/,
      ['plan', '--image-size', '256', '--patchcore.ratio', '0.1'],
    ],
    [/--steps: the model padim does not train in steps/, ['plan', '--image-size', '256', '--steps', '5']],
    [/--padim.dimensions -1: it must be a whole number/, ['plan', '--image-size', '256', '--padim.dimensions', '-1']],
    [/tile size 300x300 is larger than the image size 256x256/i, ['plan', '--image-size', '256', '--tile-size', '300']],
    [
      /stride 129x129 is larger than the tile size 128x128/i,
      ['plan', '--image-size', '256', '--tile-size', '128', '--stride', '129'],
    ],
    [/required option '--run <dir>'/, ['predict', 'x.png']],
    [/no images: name images or folders/, ['predict', '--run', 'x']],
    [/configuration .*none.yaml cannot be read: it does not exist/, ['train', '--config', 'none.yaml']],
  ])('%s', async (pattern, words) => {
    const outcome = await runCli(...words);
    expect(outcome.stderr).toMatch(pattern);
    expect(outcome.stderr).not.toMatch(/^\s+at /m);
    expect(outcome.code).toBe(2);
  });

  it('refuses an unknown backbone by naming those there are', async () => {
    await refused(
      2,
      /unknown backbone vgg: there are mobilenet-v2, resnet18/,
      'plan',
      '--image-size',
      '256',
      '--backbone',
      'vgg',
    );
  });
});

describe('data', () => {
  it('refuses a missing and an empty folder', async () => {
    await refused(
      1,
      /no such folder; check the path/,
      'train',
      '--data',
      join(folder, 'none'),
      '--out',
      join(folder, 'o1'),
    );
    mkdirSync(join(folder, 'empty'));
    await refused(1, /the folder is empty/, 'train', '--data', join(folder, 'empty'), '--out', join(folder, 'o2'));
  });

  it.each([
    ['truncated', (path: string) => truncateSync(path, 900)],
    ['empty', (path: string) => writeFileSync(path, '')],
    ['text', (path: string) => writeFileSync(path, 'no picture')],
    ['huge', (path: string) => writeFileSync(path, hugePng(30_000))],
  ])('refuses a %s image with its name', async (name, change) => {
    const data = boardWith(name, change);
    const outcome = await runCli('train', '--data', data, '--out', join(folder, `out-${name}`), ...small, '--no-check');
    expect(errorLine(outcome)).toMatch(/000\.png/);
    expect(outcome.code).toBe(1);
  });

  it('lists the faults that the check finds', async () => {
    const data = boardWith('checked', (path) => writeFileSync(path, 'no picture'));
    const mask = join(data, 'ground_truth', 'blob', '000_mask.png');
    await sharp({ create: { width: 10, height: 10, channels: 3, background: '#fff' } }).toFile(mask);
    const outcome = await runCli('train', '--data', data, '--check', 'only');
    expect(outcome.stderr).toMatch(/error: 1 .*000\.png/);
    expect(outcome.stderr).toMatch(/masks differ in size from their images/);
    expect(outcome.code).toBe(1);
  });

  it('trains without a test split, and says that nothing was evaluated', async () => {
    const normal = join(board, 'train', 'good');
    const outcome = await runCli('train', '--normal', normal, '--out', join(folder, 'unlabelled'), ...small);
    expect(outcome.stdout).toContain('nothing evaluated');
    expect(outcome.code).toBe(0);
  });
});

describe('weights', () => {
  const train = (file: string, backbone: string): string[] => [
    ...['train', '--data', board, '--out', join(folder, 'weights-run'), ...small],
    ...['--weights', file, '--backbone', backbone],
  ];

  it('refuses truncated, foreign and non-finite ones', async () => {
    const tensors = new Map([['conv1.weight', { shape: [64, 3, 7, 7], data: new Float32Array(64 * 3 * 49) }]]);
    const file = join(folder, 'some.safetensors');
    writeFileSync(file, encodeSafetensors(tensors, {}));
    await refused(1, /some\.safetensors.*(missing|lacks|lack)/, ...train(file, 'resnet18'));
    truncateSync(file, 500);
    await refused(1, /some\.safetensors/, ...train(file, 'resnet18'));
    const bad = new Map([['conv1.weight', { shape: [64, 3, 7, 7], data: new Float32Array(64 * 3 * 49).fill(NaN) }]]);
    writeFileSync(file, encodeSafetensors(bad, {}));
    await refused(1, /conv1\.weight/, ...train(file, 'resnet18'));
    await refused(1, /cannot be read: it does not exist/, ...train(join(folder, 'none'), 'resnet18'));
  });
});

describe('runs', () => {
  it('refuses what is no run, and a damaged one', async () => {
    const image = join(board, 'test', 'good', '000.png');
    await refused(1, /is no run folder/, 'predict', '--run', folder, image);
    const copy = join(folder, 'damaged');
    cpSync(run, copy, { recursive: true });
    const part = join(copy, 'tiles', '0-0.safetensors');
    const bytes = readFileSync(part);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    writeFileSync(part, bytes);
    await refused(1, /tiles\/0-0\.safetensors is damaged/, 'predict', '--run', copy, image);
  });

  it('refuses other settings in the same folder', async () => {
    await refused(
      2,
      /holds a run with other settings \(seed: 7 instead of 42\)/,
      'train',
      '--data',
      board,
      '--out',
      run,
      ...small,
      '--seed',
      '7',
    );
  });

  it('names an image that cannot be read, and what was finished stays printed', async () => {
    const good = join(board, 'test', 'good', '000.png');
    await refused(
      1,
      /none\.png cannot be read: it does not exist/,
      'predict',
      '--run',
      run,
      good,
      join(folder, 'none.png'),
    );
  });

  it('refuses too little memory before work starts, and names what would fit', async () => {
    await refused(
      1,
      /the budget is 20\.0 MiB: .*(would fit|give at least)/,
      'train',
      '--data',
      board,
      '--out',
      join(folder, 'tight'),
      ...small,
      '--memory',
      '20MiB',
      '--batch',
      '64',
    );
  });
});

describe('predict', () => {
  it('prints a line an image, JSON, JSON Lines or CSV, and writes overlays', async () => {
    const images = join(board, 'test');
    const out = join(folder, 'overlays');
    const text = await runCli('predict', '--run', run, images, '--out', out);
    expect(text.stdout.trim().split('\n')).toHaveLength(6);
    expect(text.stdout).toMatch(/000\.png \d\.\d{4} (good|anomalous)\n/);
    const json = JSON.parse((await runCli('predict', '--run', run, images, '--json')).stdout) as {
      score: number;
      boxes: object[];
    }[];
    expect(json).toHaveLength(6);
    const lines = (await runCli('predict', '--run', run, images, '--format', 'jsonl')).stdout.trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { score: number }).score)).toEqual(json.map(({ score }) => score));
    const csv = (await runCli('predict', '--run', run, images, '--format', 'csv')).stdout.trim().split('\n');
    expect(csv[0]).toBe('path,score,threshold,label,defects');
    expect(csv).toHaveLength(7);
    expect((await sharp(join(out, 'good_000.png')).metadata()).width).toBe(96);
  });
});

/** A valid PNG header of a side that nobody should decode. */
function hugePng(side: number): Buffer {
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const size = Buffer.alloc(4);
    size.writeUInt32BE(data.length);
    const check = Buffer.alloc(4);
    check.writeUInt32BE(crc32(body));
    return Buffer.concat([size, body, check]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header.set([8, 0, 0, 0, 0], 8);
  const row = deflateSync(Buffer.alloc(side + 1));
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', row), chunk('IEND', Buffer.alloc(0))]);
}
