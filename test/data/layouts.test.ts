import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Sample } from '../../src/data/image.js';
import { matchMasks } from '../../src/data/layouts/layout.js';
import { parseSplitTable } from '../../src/data/layouts/visa.js';
import { nodeImages } from '../../src/node/images.js';
import { openDataset } from '../../src/node/datasets.js';
import { temporaryFolder, writeImages, writeText } from './folders.js';

const names = (samples: readonly Sample[]): string[] => samples.map((sample) => sample.name);

describe('MVTec AD', () => {
  it('loads splits, kinds, labels and masks, and leaves other files alone', async () => {
    const root = join(await temporaryFolder(), 'bottle');
    await writeImages(root, ['train/good/010.png', 'train/good/002.png', 'train/good/1.PNG', 'train/good/._002.png']);
    await writeImages(root, ['test/good/000.png', 'test/crack/001.png', 'test/crack/000.png', 'test/big hole/000.png']);
    await writeImages(root, ['ground_truth/crack/000_mask.png', 'ground_truth/crack/001_mask.png']);
    await writeImages(root, ['ground_truth/crack/007_mask.png']);
    await writeText(root, 'train/good/Thumbs.db', '');
    const data = await openDataset(root);
    expect(data).toMatchObject({ name: 'bottle', layout: 'MVTec AD', root, validation: [] });
    expect(names(data.train)).toEqual(['train/good/002.png', 'train/good/010.png', 'train/good/1.PNG']);
    expect(names(data.test)).toEqual([
      'test/big hole/000.png',
      'test/crack/000.png',
      'test/crack/001.png',
      'test/good/000.png',
    ]);
    expect(data.test.map((sample) => [sample.label, sample.kind])).toEqual([
      [1, 'big hole'],
      [1, 'crack'],
      [1, 'crack'],
      [0, 'good'],
    ]);
    expect(data.test.map((sample) => sample.maskPath)).toEqual([
      undefined,
      join(root, 'ground_truth/crack/000_mask.png'),
      join(root, 'ground_truth/crack/001_mask.png'),
      undefined,
    ]);
    expect(data.notes).toEqual(['ground_truth/crack: no image for 007_mask.png']);
    for (const { path } of [...data.train, ...data.test]) {
      expect(await nodeImages.readSize(path)).toEqual({ height: 6, width: 8 });
    }
  });

  it('takes one category of several, or the only one', async () => {
    const root = await temporaryFolder();
    await writeImages(root, ['cable/train/good/0.png', 'cable/test/good/0.png', 'cable/test/cut/0.png']);
    expect((await openDataset(root)).notes).toEqual([`took cable, the only category of ${root}`]);
    await writeImages(root, ['bottle/train/good/0.png']);
    await expect(openDataset(root)).rejects.toThrow('add --category with one of bottle, cable');
    await expect(openDataset(root, { category: 'pill' })).rejects.toThrow('no category pill; it holds bottle, cable');
    const cable = await openDataset(root, { category: 'cable' });
    expect(cable).toMatchObject({ name: 'cable', root: join(root, 'cable'), notes: [] });
    expect(names(cable.train)).toEqual(['train/good/0.png']);
    expect((await openDataset(root, { category: 'bottle' })).notes).toEqual([
      'no test images: nothing can be evaluated',
    ]);
  });

  it('allows a test split without defects and says so', async () => {
    const root = await temporaryFolder();
    await writeImages(root, ['train/good/0.png', 'test/good/0.png']);
    expect((await openDataset(root)).notes).toEqual(['the test split has no defects: no AUROC can be computed']);
  });

  it('refuses a training folder without images', async () => {
    const root = await temporaryFolder();
    await writeText(root, 'train/good/0.bmp', 'BM');
    await expect(openDataset(root)).rejects.toThrow(/train\/good: no images \(.png .*\); it holds 0.bmp/);
  });
});

describe('MVTec AD 2', () => {
  it('loads its own validation images and the public test', async () => {
    const root = join(await temporaryFolder(), 'can');
    await writeImages(root, ['train/good/000_regular.png', 'validation/good/000_regular.png']);
    await writeImages(root, ['test_public/good/000_regular.png', 'test_public/bad/000_shift_1.png']);
    await writeImages(root, ['test_public/ground_truth/bad/000_shift_1_mask.png', 'test_private/000_regular.png']);
    const data = await openDataset(root);
    expect(data).toMatchObject({ name: 'can', layout: 'MVTec AD 2', notes: [] });
    expect(names(data.train)).toEqual(['train/good/000_regular.png']);
    expect(names(data.validation)).toEqual(['validation/good/000_regular.png']);
    expect(names(data.test)).toEqual(['test_public/bad/000_shift_1.png', 'test_public/good/000_regular.png']);
    expect(data.test[0]?.maskPath).toBe(join(root, 'test_public/ground_truth/bad/000_shift_1_mask.png'));
  });
});

describe('VisA', () => {
  const table = [
    'object,split,label,image,mask',
    'candle,train,normal,candle/Data/Images/Normal/0001.png,',
    'candle,train,normal,candle/Data/Images/Normal/0000.png,',
    'candle,test,normal,candle/Data/Images/Normal/0002.png,',
    'candle,test,anomaly,candle/Data/Images/Anomaly/000.png,candle/Data/Masks/Anomaly/000.png',
    'pcb1,train,normal,pcb1/Data/Images/Normal/0000.png,',
    'pcb1,test,normal,pcb1/Data/Images/Normal/0001.png,',
  ].join('\r\n');

  async function writeVisa(): Promise<string> {
    const root = await temporaryFolder();
    for (const n of [0, 1, 2, 3]) await writeImages(root, [`candle/Data/Images/Normal/000${n}.png`]);
    await writeImages(root, ['candle/Data/Images/Anomaly/000.png', 'candle/Data/Masks/Anomaly/000.png']);
    await writeImages(root, ['pcb1/Data/Images/Normal/0000.png', 'pcb1/Data/Images/Normal/0001.png']);
    return root;
  }

  it('follows the split table, from the root or from a category', async () => {
    const root = await writeVisa();
    await writeText(root, 'split_csv/1cls.csv', table);
    for (const data of [await openDataset(root, { category: 'candle' }), await openDataset(join(root, 'candle'))]) {
      expect(data).toMatchObject({ name: 'candle', layout: 'VisA', root: join(root, 'candle'), notes: [] });
      expect(names(data.train)).toEqual(['Data/Images/Normal/0000.png', 'Data/Images/Normal/0001.png']);
      expect(names(data.test)).toEqual(['Data/Images/Anomaly/000.png', 'Data/Images/Normal/0002.png']);
      expect(data.test.map((sample) => [sample.label, sample.kind])).toEqual([
        [1, 'anomaly'],
        [0, 'good'],
      ]);
      expect(data.test[0]?.maskPath).toBe(join(root, 'candle/Data/Masks/Anomaly/000.png'));
      expect(data.test[1]?.maskPath).toBeUndefined();
    }
  });

  it('splits by ratio where there is no table', async () => {
    const root = await writeVisa();
    const data = await openDataset(root, { category: 'candle', testRatio: 0.5 });
    expect(data.notes[0]).toContain('split by ratio and seed instead');
    expect([data.name, data.train.length, data.test.length]).toEqual(['candle', 2, 3]);
    expect(data.test[0]?.maskPath).toBe(join(root, 'candle/Data/Masks/Anomaly/000.png'));
  });

  it('refuses a damaged table with its line', () => {
    expect(() => parseSplitTable('object,split\n', 'x.csv')).toThrow('x.csv: no column label, image, mask');
    expect(() => parseSplitTable(table.replace('test,anomaly', 'test,odd'), 'x.csv')).toThrow('x.csv, line 5:');
  });

  it('refuses paths that leave the category', async () => {
    const root = await writeVisa();
    await writeText(root, 'split_csv/1cls.csv', table.replace('candle/Data/Images/Normal/0001', 'candle/../../etc/0'));
    await expect(openDataset(root, { category: 'candle' })).rejects.toThrow('does not lie in candle');
  });
});

describe('plain folders', () => {
  it('takes a folder of photographs as good images', async () => {
    const root = join(await temporaryFolder(), 'photos');
    await writeImages(root, ['b.png', 'a.png', 'old/c.png']);
    const data = await openDataset(root);
    expect(data).toMatchObject({ name: 'photos', layout: 'folder', root, test: [], validation: [] });
    expect(names(data.train)).toEqual(['a.png', 'b.png']);
    expect(data.notes).toEqual([
      'left out the folders old: --normal and --abnormal name some',
      'no test images: nothing can be evaluated',
    ]);
  });

  it('pairs masks, names kinds by subfolder, and splits the good images stably', async () => {
    const root = await temporaryFolder();
    const good = Array.from({ length: 10 }, (_, i) => `ok/line ${i % 2}/${i}.png`);
    await writeImages(root, good);
    await writeImages(root, ['bad/dent/1.png', 'bad/2.png', 'bad/3.png', 'masks/dent/1.png', 'masks/2_mask.png']);
    const options = { normal: 'ok', abnormal: join(root, 'bad'), masks: 'masks', testRatio: 0.3, seed: 7 };
    const data = await openDataset(root, options);
    const defective = data.test.filter((sample) => sample.label === 1);
    expect(defective.map(({ name, kind }) => [name, kind])).toEqual([
      ['bad/2.png', 'bad'],
      ['bad/3.png', 'bad'],
      ['bad/dent/1.png', 'dent'],
    ]);
    expect(defective.map((sample) => sample.maskPath)).toEqual([
      join(root, 'masks/2_mask.png'),
      undefined,
      join(root, 'masks/dent/1.png'),
    ]);
    expect([data.train.length, data.test.length]).toEqual([7, 6]);
    const all = [...names(data.train), ...names(data.test.filter((sample) => sample.label === 0))];
    expect(all.sort()).toEqual([...good].sort());
    expect(await openDataset(root, options)).toEqual(data);
    const other = await openDataset(root, { ...options, seed: 8 });
    expect(names(other.train)).not.toEqual(names(data.train));
  });

  it('does not take defective images inside the good folder for good', async () => {
    const root = await temporaryFolder();
    await writeImages(root, ['parts/1.png', 'parts/2.png', 'parts/bad/3.png']);
    const elsewhere = await temporaryFolder();
    const data = await openDataset(elsewhere, { normal: join(root, 'parts'), abnormal: join(root, 'parts/bad') });
    const all = names([...data.train, ...data.test]).map((name) => name.slice(name.indexOf('parts')));
    expect(all.sort()).toEqual(['parts/1.png', 'parts/2.png', 'parts/bad/3.png']);
    expect([...data.train, ...data.test].every(({ name }) => !name.startsWith('/') && !name.includes('..'))).toBe(true);
  });

  it('pairs masks within subfolders only', () => {
    const matched = matchMasks(['a/1.png', 'b/1.jpg', '2.tif'], ['b/1_mask.png', '2.png', 'c/9.png']);
    expect([...matched.byImage]).toEqual([
      ['b/1.jpg', 'b/1_mask.png'],
      ['2.tif', '2.png'],
    ]);
    expect(matched.unmatched).toEqual(['c/9.png']);
  });
});

describe('what cannot be loaded', () => {
  it('says what was looked for', async () => {
    const root = await temporaryFolder();
    await mkdir(join(root, 'stuff'));
    await writeText(root, 'notes.txt', '');
    await expect(openDataset(root)).rejects.toThrow(
      `${root}: no data set found; looked for train/good and test_public (MVTec AD 2), train/good (MVTec AD), ` +
        'Data/Images/Normal (VisA), folders of such categories, and images; it holds notes.txt, stuff/; ' +
        'name the folder of good images with --normal',
    );
    await expect(openDataset(join(root, 'stuff'))).rejects.toThrow('the folder is empty');
    await expect(openDataset(join(root, 'none'))).rejects.toThrow('none: no such folder');
    await expect(openDataset(join(root, 'notes.txt'))).rejects.toThrow('notes.txt: no such folder');
    await expect(openDataset(root, { normal: 'none' })).rejects.toThrow('none: no such folder');
    await expect(openDataset(root, { normal: 'stuff' })).rejects.toThrow('the folder is empty');
    await expect(openDataset(root, { abnormal: 'stuff' })).rejects.toThrow('need --normal');
  });
});
