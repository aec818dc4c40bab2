import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkDataset } from '../../src/data/check.js';
import {
  defectKinds,
  generateSample,
  writeSynthetic,
  type SampleOptions,
  type SyntheticSample,
} from '../../src/data/synthetic.js';
import { createRandom, normalQuantiles } from '../../src/data/synthetic/random.js';
import { disc, line, paintShape, poseAbout, posePoint } from '../../src/data/synthetic/raster.js';
import { boardScene } from '../../src/data/synthetic/board.js';
import { fabricScene } from '../../src/data/synthetic/fabric.js';
import { makeFolder, openDataset } from '../../src/node/datasets.js';
import { sha256, sha256File } from '../../src/node/files.js';
import { nodeImages } from '../../src/node/images.js';
import { temporaryFolder } from './folders.js';

const size = { height: 128, width: 160 };
const base: SampleOptions = { seed: 42, index: 3, size };

/** Rows and columns that a mask spans. */
function extentOf(mask: { height: number; width: number; data: Uint8Array }): [number, number] {
  const rows: number[] = [];
  const columns: number[] = [];
  mask.data.forEach((value, i) => {
    if (value === 0) return;
    rows.push(Math.floor(i / mask.width));
    columns.push(i % mask.width);
  });
  return [Math.max(...rows) - Math.min(...rows) + 1, Math.max(...columns) - Math.min(...columns) + 1];
}

const cases = defectKinds.flatMap((defect) => [false, true].map((textured) => ({ defect, textured })));

describe('generateSample', () => {
  it('gives the same bytes for the same options, whatever was drawn between', () => {
    const first = generateSample({ ...base, defect: 'blob' });
    generateSample({ ...base, seed: 1 });
    const second = generateSample({ ...base, defect: 'blob' });
    expect(sha256(second.image.data)).toBe(sha256(first.image.data));
    expect(sha256(second.mask.data)).toBe(sha256(first.mask.data));
    for (const other of [{ seed: 43 }, { index: 4 }, { textured: true }, { jitter: 0 }]) {
      expect(sha256(generateSample({ ...base, ...other }).image.data)).not.toBe(
        sha256(generateSample(base).image.data),
      );
    }
  });

  const goodSamples = new Map<string, SyntheticSample>();
  const goodSample = (index: number, textured: boolean): SyntheticSample => {
    const key = `${index} ${textured}`;
    const sample = goodSamples.get(key) ?? generateSample({ ...base, index, textured });
    goodSamples.set(key, sample);
    return sample;
  };

  it.each(cases)('changes the image exactly within the mask: $defect, textured $textured', ({ defect, textured }) => {
    for (let index = 0; index < 4; index += 1) {
      const options = { ...base, index, textured, maxDefectPixels: 14 + index };
      const good = goodSample(index, textured);
      const { image, mask, kind } = generateSample({ ...options, defect });
      expect([good.kind, kind]).toEqual(['good', defect]);
      expect(good.mask.data.every((value) => value === 0)).toBe(true);
      let changedOutside = 0;
      let unchangedInside = 0;
      let inside = 0;
      mask.data.forEach((value, i) => {
        const changed = [0, 1, 2].some((channel) => image.data[3 * i + channel] !== good.image.data[3 * i + channel]);
        if (value > 0) inside += 1;
        if (changed && value === 0) changedOutside += 1;
        if (!changed && value > 0) unchangedInside += 1;
      });
      expect(changedOutside).toBe(0);
      // A change of 5 levels before the light is still one after it.
      expect(unchangedInside).toBe(0);
      expect(inside).toBeGreaterThanOrEqual(12);
      expect(Math.max(...extentOf(mask))).toBeLessThanOrEqual(options.maxDefectPixels);
    }
  });

  it('keeps the pose within the jitter: the aligned board differs little from image to image', () => {
    const difference = (jitter: number): number => {
      const [a, b] = [1, 2].map((index) => generateSample({ ...base, index, jitter }).image.data);
      return (
        (a?.reduce((sum, value, i) => sum + Math.abs(value - (b?.[i] ?? 0)), 0) ?? 0) / (size.height * size.width * 3)
      );
    };
    expect(difference(0)).toBeLessThan(difference(2));
    expect(difference(0)).toBeLessThan(10);
  });

  it('draws any shape of image', () => {
    for (const [height, width] of [
      [32, 32],
      [33, 257],
      [190, 47],
    ] as const) {
      for (const defect of defectKinds) {
        const { image, mask } = generateSample({ seed: 5, index: 1, size: { height, width }, defect });
        expect([image.data.length, mask.data.length]).toEqual([height * width * 3, height * width]);
        expect(mask.data.some((value) => value > 0)).toBe(true);
      }
    }
  });

  it.each([
    [{ size: { height: 31, width: 64 } }, 'size 31x64'],
    [{ index: -1 }, 'index -1'],
    [{ jitter: Number.NaN }, 'jitter NaN'],
    [{ maxDefectPixels: 5 }, 'defect size 5'],
    [{ maxDefectPixels: 65 }, 'between 6 and half the image, 64 pixels'],
  ])('refuses %o', (options, message) => {
    expect(() => generateSample({ ...base, ...options })).toThrow(message);
  });
});

describe('scenes', () => {
  it.each([
    ['board', boardScene(9, 2, size, 1)],
    ['fabric', fabricScene(9, 2, size)],
  ])('render a window as that part of the whole: %s', (_, scene) => {
    const whole = scene.render({ left: 0, top: 0, ...size });
    const window = { left: 37, top: 21, width: 40, height: 33 };
    const part = scene.render(window);
    for (let row = 0; row < window.height; row += 1) {
      const start = ((window.top + row) * size.width + window.left) * 3;
      const expected = whole.subarray(start, start + window.width * 3);
      expect(part.subarray(row * window.width * 3, (row + 1) * window.width * 3)).toEqual(expected);
    }
  });

  it('paint shapes of the right area', () => {
    const area = (shape: Parameters<typeof paintShape>[2]): number => {
      const target = new Uint8Array(64 * 64 * 3);
      paintShape(target, { left: 0, top: 0, width: 64, height: 64 }, shape);
      return target.reduce((sum, value) => sum + value, 0) / (255 * 3);
    };
    const white = [255, 255, 255] as const;
    expect(area(disc(31.3, 32.6, 20, white)) / (Math.PI * 400)).toBeCloseTo(1, 2);
    expect(area(disc(32, 32, 20, white, { stroke: 4 })) / (Math.PI * (400 - 256))).toBeCloseTo(1, 2);
    expect(area(line(12, 20, 50, 44, 3, white)) / (6 * Math.hypot(38, 24) + Math.PI * 9)).toBeCloseTo(1, 2);
  });

  it('turn about a point and move', () => {
    const [x, y] = posePoint(12, 10, poseAbout(10, 10, Math.PI / 2, 1, -1));
    expect([x, y].map((value) => value.toFixed(6))).toEqual(['11.000000', '11.000000']);
  });
});

describe('random numbers', () => {
  it('are standard normal by table', () => {
    const mean = normalQuantiles.reduce((sum, value) => sum + value, 0) / 1024;
    const variance = normalQuantiles.reduce((sum, value) => sum + value * value, 0) / 1024;
    expect(mean).toBeCloseTo(0, 6);
    expect(Math.abs(variance - 1)).toBeLessThan(0.01);
    expect(Math.abs((normalQuantiles[861] ?? 0) - 1)).toBeLessThan(0.01);
  });

  it('are independent for neighbouring seeds', () => {
    const first = Array.from({ length: 200 }, (_, index) => createRandom(7, index).uniform(0, 1));
    const mean = first.reduce((sum, value) => sum + value, 0) / first.length;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.08);
    expect(new Set(first).size).toBe(200);
  });
});

describe('writeSynthetic', () => {
  it('writes a sound MVTec AD data set, the same bytes each time', async () => {
    const options = {
      size: { height: 64, width: 80 },
      counts: { train: 2, testGood: 1, testPerKind: 2 },
      defectPixels: [8, 12],
      seed: 3,
    };
    const progress: string[] = [];
    const roots = [await temporaryFolder(), await temporaryFolder()];
    for (const root of roots) {
      const onProgress = (done: number, total: number): void => void progress.push(`${done}/${total}`);
      expect(await writeSynthetic(root, options, { writer: nodeImages, makeFolder, onProgress })).toBe(11);
    }
    expect(progress.at(-1)).toBe('11/11');
    const [root = '', again = ''] = roots;
    const data = await openDataset(root);
    expect(data).toMatchObject({ layout: 'MVTec AD', notes: [] });
    expect([data.train.length, data.test.length]).toEqual([2, 9]);
    expect((await checkDataset(data, nodeImages, sha256File)).findings).toEqual([]);
    const files = (await readdir(root, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    expect(files.length).toBe(19);
    for (const file of files) {
      const path = join(file.parentPath, file.name);
      expect(await readFile(path.replace(root, again))).toEqual(await readFile(path));
    }
    const masks = data.test.filter(({ label }) => label === 1);
    for (const [i, { maskPath = '' }] of masks.entries()) {
      expect(Math.max(...extentOf(await nodeImages.readMask(maskPath)))).toBeLessThanOrEqual(i % 2 === 0 ? 8 : 12);
    }
  });

  it('refuses counts that are no numbers of images', async () => {
    const counts = { train: -1, testGood: 0, testPerKind: 0 };
    const target = { writer: nodeImages, makeFolder };
    await expect(writeSynthetic('/nowhere', { size, counts, seed: 1 }, target)).rejects.toThrow('train -1');
  });
});
