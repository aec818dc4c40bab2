import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkDataset, formatFindings, type CheckResult } from '../../src/data/check.js';
import { generateSample } from '../../src/data/synthetic.js';
import { openDataset } from '../../src/node/datasets.js';
import { sha256File } from '../../src/node/files.js';
import { nodeImages } from '../../src/node/images.js';
import { plainImage, temporaryFolder, writeImages, writeText } from './folders.js';

const size = { height: 64, width: 64 };

const check = async (root: string): Promise<CheckResult> =>
  checkDataset(await openDataset(root), nodeImages, sha256File);

/** A sound data set of eight training images, two good ones and three defects with masks. */
async function writeSound(): Promise<string> {
  const root = await temporaryFolder();
  for (let i = 0; i < 8; i += 1) await writeImages(root, [`train/good/${i}.png`]);
  await writeImages(root, ['test/good/0.png', 'test/good/1.png']);
  for (let i = 0; i < 3; i += 1) {
    await writeImages(root, [`test/cut/${i}.png`]);
    await writeImages(root, [`ground_truth/cut/${i}_mask.png`], plainImage(255));
  }
  return root;
}

describe('checkDataset', () => {
  it('finds nothing in a sound data set', async () => {
    const seen: number[] = [];
    const options = { onProgress: (done: number): void => void seen.push(done) };
    const result = await checkDataset(await openDataset(await writeSound()), nodeImages, sha256File, options);
    expect(result).toEqual({
      images: 13,
      masks: 3,
      sizes: [{ height: 6, width: 8, count: 13 }],
      findings: [],
      errors: 0,
      warnings: 0,
    });
    expect(formatFindings(result)).toEqual([]);
    expect(seen).toEqual(Array.from({ length: 13 }, (_, i) => i + 1));
  });

  describe('with a fault of each kind', () => {
    let result: CheckResult;
    let lines: string[];

    beforeAll(async () => {
      const root = await writeSound();
      await writeText(root, 'train/good/text.png', 'no image');
      await writeText(root, 'train/good/empty.png', '');
      const truncated = join(root, 'train/good/truncated.png');
      await writeImages(root, ['train/good/truncated.png'], generateSample({ seed: 1, index: 1, size }).image);
      const bytes = await readFile(truncated);
      await writeFile(truncated, bytes.subarray(0, bytes.length / 2));
      await writeImages(root, ['train/good/large.png'], plainImage(9, 12, 16));
      await copyFile(join(root, 'train/good/0.png'), join(root, 'test/good/twin.png'));
      await writeImages(root, ['ground_truth/cut/0_mask.png'], plainImage(255, 6, 9));
      await writeImages(root, ['ground_truth/cut/1_mask.png'], plainImage(0));
      await writeText(root, 'ground_truth/cut/2_mask.png', 'no mask');
      for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) await writeImages(root, [`test/dent/${name}.png`]);
      result = await check(root);
      lines = formatFindings(result);
    });

    it.each([
      ['unreadable-image', 'error', ['train/good/empty.png', 'train/good/text.png', 'train/good/truncated.png']],
      ['unreadable-mask', 'error', ['test/cut/2.png']],
      ['mask-size', 'error', ['test/cut/0.png (mask 6x9, image 6x8)']],
      ['empty-mask', 'warning', ['test/cut/1.png']],
      ['mixed-sizes', 'warning', ['train/good/large.png (12x16, most are 6x8)']],
      ['duplicates', 'warning', ['test/good/twin.png (same as train/good/0.png)']],
    ])('finds %s', (code, severity, expected) => {
      const finding = result.findings.find((found) => found.code === code);
      expect(finding).toMatchObject({ severity, count: expected.length });
      expect(finding?.names.map((name, i) => name.startsWith(expected[i] ?? '?'))).toEqual(expected.map(() => true));
    });

    it('counts all of a fault and names the first five', () => {
      const missing = result.findings.find((found) => found.code === 'missing-mask');
      expect(missing?.count).toBe(6);
      expect(missing?.names).toEqual(['a', 'b', 'c', 'd', 'e'].map((name) => `test/dent/${name}.png`));
      expect(lines.at(-3)).toMatch(
        /^warning: defective images have no mask .* \(6\): test\/dent\/a.png, .*e.png and 1 more$/,
      );
    });

    it('puts faults first, one line each', () => {
      expect([result.errors, result.warnings, lines.length]).toEqual([3, 4, 7]);
      expect(lines.map((line) => line.split(':')[0])).toEqual([
        ...['fault', 'fault', 'fault'],
        ...['warning', 'warning', 'warning', 'warning'],
      ]);
      expect(lines.every((line) => !line.includes('\n'))).toBe(true);
    });
  });

  it('tells a data set without any mask from one with gaps', async () => {
    const root = await temporaryFolder();
    await writeImages(root, ['train/good/0.png', 'test/good/0.png', 'test/cut/0.png', 'test/cut/1.png']);
    expect((await check(root)).findings.map(({ code, count }) => [code, count])).toEqual([['no-masks', 2]]);
  });
});
