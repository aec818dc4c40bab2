import { beforeAll, describe, expect, it } from 'vitest';
import type { Gpu } from '../../src/engine/gpu.js';
import { TiledEnsemble } from '../../src/ensemble/ensemble.js';
import { Run } from '../../src/ensemble/run.js';
import { testGpu } from '../gpu.js';
import { tinyBackbone } from '../models/tiny-backbone.js';
import { configurationOf, memoryStorage, tinyModel, trainTiny } from './support.js';

const configuration = configurationOf({ height: 48, width: 80 });
let gpu: Gpu;
let finished: ReturnType<typeof memoryStorage>;
beforeAll(async () => {
  gpu = await testGpu();
  finished = memoryStorage();
  (await trainTiny(gpu, finished, configuration)).ensemble.destroy();
});

/** A copy of the finished run with one file changed. */
function changed(
  name: string,
  change: (bytes: Uint8Array) => Uint8Array | undefined,
): ReturnType<typeof memoryStorage> {
  const copy = memoryStorage();
  for (const [file, bytes] of finished.files) {
    const after = file === name ? change(bytes.slice()) : bytes;
    if (after) copy.files.set(file, after);
  }
  return copy;
}

const load = async (storage: ReturnType<typeof memoryStorage>): Promise<void> => {
  const run = await Run.open(storage);
  (await TiledEnsemble.load({ gpu, run, model: tinyModel(), backbone: tinyBackbone() })).destroy();
};

describe('run folder', () => {
  it('holds exactly the parts that its manifest names', () => {
    expect([...finished.files.keys()].sort()).toEqual([
      'run.json',
      'stats.json',
      'tiles/0-0.safetensors',
      'tiles/1-0.safetensors',
    ]);
  });

  it('is refused with a flipped byte, a missing part or a cut file, in a line that says what to do', async () => {
    const flip = (at: number) => (bytes: Uint8Array) => bytes.fill((bytes[at] ?? 0) ^ 1, at, at + 1);
    await expect(load(changed('tiles/0-0.safetensors', flip(500)))).rejects.toThrow(
      /memory\/tiles\/0-0.safetensors is damaged .* restore it from a copy, or train again/,
    );
    await expect(load(changed('stats.json', flip(30)))).rejects.toThrow(/stats.json is damaged/);
    await expect(load(changed('tiles/0-0.safetensors', () => undefined))).rejects.toThrow(/is missing: restore it/);
    await expect(load(changed('run.json', (bytes) => bytes.subarray(0, 100)))).rejects.toThrow(
      /run.json is damaged \(no JSON\)/,
    );
    await expect(load(changed('run.json', () => undefined))).rejects.toThrow(/is no run folder/);
    await expect(
      load(
        changed('run.json', (bytes) =>
          new TextEncoder().encode(new TextDecoder().decode(bytes).replace('"seed": 42', '"seed": 43')),
        ),
      ),
    ).rejects.toThrow(/its configuration does not match its hash/);
    await expect(
      load(
        changed('run.json', (bytes) =>
          new TextEncoder().encode(new TextDecoder().decode(bytes).replace('"version": 1', '"version": 9')),
        ),
      ),
    ).rejects.toThrow(/format version 9, this Tilesight reads 1/);
  });

  it('makes parts anew that are missing or damaged when it is trained again: the same bytes', async () => {
    const damaged = memoryStorage();
    for (const [name, bytes] of finished.files) damaged.files.set(name, bytes.slice());
    const part = damaged.files.get('tiles/0-0.safetensors');
    part?.fill(7, part.length - 8);
    damaged.files.delete('tiles/1-0.safetensors');
    damaged.files.get('stats.json')?.fill(32, 20, 30);
    const notes: string[] = [];
    const { ensemble, report } = await trainTiny(gpu, damaged, configuration, { onNote: (line) => notes.push(line) });
    ensemble.destroy();
    expect(report).toMatchObject({ fitted: 2, resumed: 0 });
    expect(notes.filter((line) => line.endsWith('is missing or damaged: it is made again'))).toHaveLength(3);
    expect([...damaged.files.keys()].sort()).toEqual([...finished.files.keys()].sort());
    for (const [name, bytes] of finished.files) expect(damaged.files.get(name), name).toEqual(bytes);
  });

  it('refuses to go on with other settings, and names the first', async () => {
    const other = { ...configuration, seed: 7 };
    await expect(trainTiny(gpu, finished, other)).rejects.toThrow(/other settings \(seed: 7 instead of 42\)/);
    const otherImages = { ...configuration, trainingImages: ['x'] };
    await expect(trainTiny(gpu, finished, otherImages)).rejects.toThrow(/other settings \(other training images\)/);
  });

  it('is not read before it is finished', async () => {
    const storage = memoryStorage();
    await Run.start(storage, configuration, gpu.profile.name);
    await expect(Run.open(storage)).rejects.toThrow(/is not finished: go on with the same train command/);
  });

  it('trains nothing again when it is finished', async () => {
    const before = new Map(finished.files);
    const { ensemble, report } = await trainTiny(gpu, finished, configuration);
    ensemble.destroy();
    expect(report.fitted).toBe(0);
    for (const [name, bytes] of before) expect(finished.files.get(name)).toEqual(bytes);
  });
});
