import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateSample, writeSynthetic } from '../../src/data/synthetic.js';
import { nodeImages } from '../../src/node/images.js';

let folder: string;
let run: string;
const good = (index: number): string => join(folder, 'good', `${index}.png`);
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tilesight-examples-'));
  run = join(folder, 'run');
  mkdirSync(join(folder, 'good'));
  const size = { height: 128, width: 128 };
  for (let index = 0; index < 8; index++) {
    await nodeImages.writePng(good(index), generateSample({ seed: 1, index, size }).image);
  }
  const defect = generateSample({ seed: 1, index: 9, size, defect: 'blob', maxDefectPixels: 32 });
  await nodeImages.writePng(join(folder, 'bad.png'), defect.image);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const children: ChildProcessByStdio<null, Readable, Readable>[] = [];
afterAll(() => children.forEach((child) => child.kill('SIGKILL')));

/** Starts an example as its first lines say. */
function start(example: string, ...words: string[]): ChildProcessByStdio<null, Readable, Readable> {
  const child = spawn(
    process.execPath,
    ['--import', './scripts/register.mjs', join('examples', `${example}.ts`), ...words],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  children.push(child);
  return child;
}

/** Runs an example to its end. */
async function finish(example: string, ...words: string[]): Promise<{ code: unknown; stdout: string; stderr: string }> {
  const child = start(example, ...words);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [unknown];
  return { code, stdout, stderr };
}

/** Starts a server and gives its address. */
async function listen(example: string, ...words: string[]): Promise<[string, ReturnType<typeof start>]> {
  const child = start(example, ...words);
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const address = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => resolve(chunk.toString().trim()));
    child.on('close', () => reject(new Error(`${example} ended: ${stderr}`)));
  });
  return [address, child];
}

describe('write-a-kernel', () => {
  it('equals plain loops', async () => {
    const { code, stdout, stderr } = await finish('write-a-kernel');
    expect(code, stderr).toBe(0);
    expect(stdout).toContain('dilate/2');
    expect(stdout).toContain('1961 pixels, 0 differ');
  });
});

describe('write-a-model', () => {
  it('trains a model of its own, and evaluates it', async () => {
    const data = join(folder, 'data');
    await writeSynthetic(
      data,
      {
        size: { height: 128, width: 128 },
        counts: { train: 9, testGood: 2, testPerKind: 2 },
        kinds: ['blob'],
        defectPixels: [32],
        seed: 1,
      },
      { writer: nodeImages, makeFolder: (path) => mkdir(path, { recursive: true }).then(() => undefined) },
    );
    const { code, stdout, stderr } = await finish('write-a-model', data, join(folder, 'own'), '4');
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^image AUROC [\d.]+, pixel AUROC [\d.]+$/m);
    // As many steps as were asked for.
    expect(stderr).toContain(' 4/4 ');
    const { configuration } = JSON.parse(readFileSync(join(folder, 'own', 'run.json'), 'utf8')) as {
      configuration: { model: string };
    };
    expect(configuration.model).toBe('autoencoder');
  });
});

// These build on each other: the first trains the run that the others use.
describe('a run', () => {
  it('is trained on a folder, and tells a defect from a good part', async () => {
    const { code, stdout, stderr } = await finish(
      'train-on-a-folder',
      join(folder, 'good'),
      run,
      join(folder, 'bad.png'),
    );
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/bad\.png \d\.\d+ anomalous/);
    expect(existsSync(join(run, 'heat-0-bad.png'))).toBe(true);
  });

  it('is embedded in a server that refuses what it cannot take and stops cleanly', async () => {
    const [address, child] = await listen('embed-in-a-server', run, '0');
    const post = (body: Buffer): Promise<Response> => fetch(address, { method: 'POST', body: new Uint8Array(body) });
    const bad = readFileSync(join(folder, 'bad.png'));

    const answered = await post(bad);
    expect(answered.status).toBe(200);
    expect(await answered.json()).toMatchObject({ anomalous: true });
    expect((await post(Buffer.from('no image'))).status).toBe(400);
    expect((await fetch(address)).status).toBe(405);

    const many = await Promise.all(Array.from({ length: 12 }, () => post(bad)));
    const statuses = many.map(({ status }) => status);
    expect(statuses).toContain(200);
    expect(statuses).toContain(503);
    expect(statuses.every((status) => status === 200 || status === 503)).toBe(true);

    child.kill('SIGTERM');
    expect(await once(child, 'close')).toEqual([0, null]);
  });

  it('is served to a page that needs no Node', async () => {
    const [address, child] = await listen(join('read-a-run-in-the-browser', 'serve'), run, '0');
    const get = async (path: string): Promise<string> => (await fetch(address + path)).text();
    expect(await get('')).toContain('page.js');
    const bundle = await get('page.js');
    expect(bundle).toContain('createImageBitmap');
    expect(bundle).not.toMatch(/from ?"(node:|sharp|webgpu)/);
    expect(await get('run/run.json')).toBe(readFileSync(join(run, 'run.json'), 'utf8'));
    expect((await fetch(`${address}weights.safetensors`)).status).toBe(200);
    expect((await fetch(`${address}run/%2e%2e%2fgood/0.png`)).status).toBe(404);
    child.kill('SIGTERM');
  });
});
