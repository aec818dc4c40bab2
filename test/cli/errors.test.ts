import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync, readFileSync, cpSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync, crc32 } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { loadBackbone } from '../../src/node/backbone.js';
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

/** Expects the command to end with the code, nothing on stdout and one error line that matches, the last on stderr. */
async function refused(code: number, pattern: RegExp, ...words: string[]): Promise<void> {
  const outcome = await runCli(...words);
  expect(outcome.stdout).toBe('');
  expect(errorLine(outcome)).toMatch(pattern);
  expect(outcome.stderr.trimEnd().split('\n').at(-1)).toMatch(/^error: /);
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
    [/unknown command 'fly' \(see --help\)$/, ['fly']],
    [/unknown option '--fly' \(see --help\)$/, ['train', '--fly']],
    [/--model.*'fly' is invalid. Allowed choices are padim.*stfpm/, ['train', '--model', 'fly', '--data', 'x']],
    [/unknown backbone vgg: there are mobilenet-v2, resnet18/, ['plan', '--image-size', '256', '--backbone', 'vgg']],
    [/no weights are published under the name "vgg": known are resnet18/, ['weights', 'get', 'vgg']],
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
    await refused(2, pattern, ...words);
  });

  it('refuses tiles larger than the images of the data, and strides larger than tiles', async () => {
    const train = ['train', '--data', board, '--out', join(folder, 'sizes')];
    await refused(2, /tile size 97x97 is larger than the image size 96x96: choose/, ...train, '--tile-size', '97');
    await refused(
      2,
      /stride 65x65 is larger than the tile size 64x64 .*: choose/,
      ...train,
      ...['--tile-size', '64', '--stride', '65'],
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
    ['truncated', (path: string) => truncateSync(path, 900), /is damaged or cut off .*; replace or remove it/],
    ['empty', (path: string) => writeFileSync(path, ''), /is empty \(0 bytes\): copy it again or remove it/],
    ['text', (path: string) => writeFileSync(path, 'no picture'), /it holds text; replace or remove it/],
    [
      'huge',
      (path: string) => writeFileSync(path, hugePng(30_000)),
      /is 30000x30000, 900 million pixels, and the limit is 268 million: cut or shrink it/,
    ],
  ])(
    'refuses an image (%s) with its name, with and without the check, and to predict it',
    async (name, change, why) => {
      const data = boardWith(name, change);
      const train = ['train', '--data', data, '--out', join(folder, `out-${name}`), ...small];
      await refused(1, why, ...train, '--no-check');
      const image = join(data, 'train', 'good', '000.png');
      await refused(1, why, 'predict', '--run', run, image);
      const checked = await runCli(...train);
      expect(checked.code).toBe(1);
      expect(errorLine(checked)).toContain(data);
      expect(checked.stderr).toMatch(why);
      expect(checked.stderr).toContain('train/good/000.png');
    },
  );

  it('lists the faults that the check finds, a line each', async () => {
    const data = boardWith('checked', (path) => writeFileSync(path, 'no picture'));
    await otherMask(data);
    const outcome = await runCli('train', '--data', data, '--check', 'only');
    expect(outcome.stderr).toMatch(/^fault: images cannot be read; .* \(1\): train\/good\/000\.png/m);
    expect(outcome.stderr).toMatch(/^fault: masks differ in size from their images/m);
    expect(errorLine(outcome)).toMatch(/checked: the data set has the faults listed above: mend them and run again$/);
    expect(outcome.code).toBe(1);
  });

  it('refuses a mask of another size before training and before evaluation', async () => {
    const data = boardWith('other-mask', () => undefined);
    await otherMask(data);
    for (const words of [
      ['train', '--data', data, '--out', join(folder, 'o3'), ...small],
      ['eval', '--run', run, '--data', data],
    ]) {
      const outcome = await runCli(...words);
      expect(outcome.stderr).toMatch(
        /^fault: masks differ in size .*export them.* \(1\): test\/blob\/000\.png \(mask 10x10, image 96x96\)$/m,
      );
      expect(errorLine(outcome)).toMatch(/mend them and run again$/);
      expect(outcome.code).toBe(1);
    }
  });

  it('goes on without defects in the test split, and says what cannot be computed', async () => {
    const data = boardWith('no-defects', () => undefined);
    for (const kind of ['blob', 'misplacement', 'missing_part', 'scratch']) {
      rmSync(join(data, 'test', kind), { recursive: true });
      rmSync(join(data, 'ground_truth', kind), { recursive: true });
    }
    for (const words of [
      ['train', '--data', data, '--out', join(folder, 'o4'), ...small],
      ['eval', '--run', run, '--data', data],
    ]) {
      const outcome = await runCli(...words, '--json');
      expect(outcome.stderr).toMatch(/^note: the test split has no defects: no AUROC can be computed$/m);
      expect(JSON.parse(outcome.stdout)).toMatchObject({
        images: { good: 2, anomalous: 0 },
        metrics: { imageAUROC: null, pixelAUROC: null },
      });
      expect(outcome.code).toBe(0);
    }
    rmSync(join(data, 'test'), { recursive: true });
    await refused(
      1,
      /no-defects has no labelled test images: use `tilesight predict`/,
      ...['eval', '--run', run, '--data', data],
    );
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
    const whole = readFileSync((await loadBackbone('mobilenet-v2', undefined)).file);
    const file = join(folder, 'some.safetensors');
    writeFileSync(file, whole);
    await refused(
      ...([
        1,
        /some\.safetensors: not the weights of resnet18, .* missing .*; these look like .*mobilenet-v2/,
      ] as const),
      ...train(file, 'resnet18'),
    );
    writeFileSync(file, whole.subarray(0, whole.length - 500));
    await refused(1, /some\.safetensors: .*it is truncated: .*fetch it again/, ...train(file, 'mobilenet-v2'));
    const bad = Buffer.from(whole);
    bad.writeFloatLE(NaN, whole.length - 4000);
    writeFileSync(file, bad);
    await refused(
      1,
      /some\.safetensors: tensor \S+ holds NaN at \[.*\]; fetch or export/,
      ...train(file, 'mobilenet-v2'),
    );
    await refused(1, /cannot be read: it does not exist; check the path/, ...train(join(folder, 'none'), 'resnet18'));
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
    await refused(
      1,
      /tiles\/0-0\.safetensors is damaged .*: restore it from a copy, or train/,
      ...['predict', '--run', copy, image],
    );
    cpSync(join(run, 'tiles'), join(copy, 'tiles'), { recursive: true });
    const statistics = readFileSync(join(copy, 'stats.json'));
    statistics[50] = (statistics[50] ?? 0) ^ 1;
    writeFileSync(join(copy, 'stats.json'), statistics);
    await refused(1, /stats\.json is damaged/, 'predict', '--run', copy, image);
    writeFileSync(join(copy, 'run.json'), '{');
    await refused(1, /run\.json is damaged/, 'predict', '--run', copy, image);
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

describe('adapter', () => {
  afterEach(() => vi.unstubAllEnvs());

  it.runIf(process.platform === 'linux')('is named as missing in one line that says what to install', async () => {
    vi.stubEnv('TILESIGHT_ADAPTER', 'system');
    vi.stubEnv('VK_DRIVER_FILES', '/nowhere/icd.json');
    const why = /no WebGPU adapter: no Vulkan driver is installed; install your GPU's Vulkan driver, or Mesa 24/;
    await refused(1, why, 'train', '--data', board, '--out', join(folder, 'o5'), ...small);
    await refused(1, why, 'predict', '--run', run, join(board, 'test', 'good', '000.png'));
    const doctor = await runCli('doctor');
    expect(doctor.stdout).toMatch(/^FAIL adapter +none → no WebGPU adapter: no Vulkan driver is installed; install/m);
    expect(doctor.code).toBe(1);
    vi.stubEnv('TILESIGHT_ADAPTER', 'gpu');
    await refused(
      2,
      /TILESIGHT_ADAPTER is "gpu": use auto, system or embedded/,
      ...['train', '--data', board, '--out', join(folder, 'o5'), ...small],
    );
  });

  it('is examined by the doctor, with remedies for what is not well and no others', async () => {
    const { stdout, code } = await runCli('doctor');
    expect(code).toBe(0);
    for (const line of stdout.trimEnd().split('\n')) expect(line).toMatch(/^(ok   [^→]+|note .+ → .+)$/);
    expect(stdout).toMatch(/^ok {3}computes /m);
    const json = JSON.parse((await runCli('doctor', '--json')).stdout) as { ok: boolean; findings: object[] };
    expect(json.ok).toBe(true);
    expect(json.findings).toHaveLength(stdout.trimEnd().split('\n').length);
  });
});

/** Replaces a mask by one of 10 × 10 pixels. */
async function otherMask(data: string): Promise<void> {
  const mask = join(data, 'ground_truth', 'blob', '000_mask.png');
  await sharp({ create: { width: 10, height: 10, channels: 3, background: '#fff' } }).toFile(mask);
}

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
