import { TilesightError } from '../../engine/errors.js';
import { joinPath, lastPart, type FileTree } from '../files.js';
import type { Sample } from '../image.js';
import { sortSamples } from '../splits.js';
import { loadFolders } from './folder.js';
import { testNotes, type Layout, type LoadedDataset } from './layout.js';

const columns = ['object', 'split', 'label', 'image', 'mask'] as const;
type Row = Readonly<Record<(typeof columns)[number], string>>;

/** Rows of VisA's split table (plain comma-separated values, a header line, any order of columns). */
export function parseSplitTable(text: string, where: string): Row[] {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const header = (lines[0] ?? '').split(',').map((cell) => cell.trim());
  const places = columns.map((column) => header.indexOf(column));
  const missing = columns.filter((_, i) => places[i] === -1);
  if (missing.length > 0) {
    throw new TilesightError('input', `${where}: no column ${missing.join(', ')}; it must have ${columns.join(',')}`);
  }
  const rows: Row[] = [];
  lines.forEach((line, number) => {
    if (number === 0 || line.trim() === '') return;
    const cells = line.split(',').map((cell) => cell.trim());
    const [object = '', split = '', label = '', image = '', mask = ''] = places.map((place) => cells[place] ?? '');
    const known = (split === 'train' || split === 'test') && (label === 'normal' || label === 'anomaly');
    if (object === '' || image === '' || !known) {
      throw new TilesightError(
        'input',
        `${where}, line ${number + 1}: expected an object, train or test, normal or anomaly, and an image; restore the file`,
      );
    }
    rows.push({ object, split, label, image, mask });
  });
  return rows;
}

/** A table's path, which starts with the category's name, as a path inside the category's folder. */
function insideCategory(path: string, category: string, where: string): string {
  const parts = path.split('/');
  if (parts[0] !== category || parts.includes('..')) {
    throw new TilesightError('input', `${where}: path ${path} does not lie in ${category}; restore the file`);
  }
  return parts.slice(1).join('/');
}

async function load(tree: FileTree, base: string, choice: { seed: number; testRatio: number }): Promise<LoadedDataset> {
  const root = tree.locate(base);
  const category = lastPart(root);
  const tablePath = joinPath(
    base === '' ? '..' : base.slice(0, Math.max(0, base.lastIndexOf('/'))),
    'split_csv/1cls.csv',
  );
  const text = await tree.readText(tablePath);
  if (text === undefined) {
    const loaded = await loadFolders(tree, {
      normal: joinPath(base, 'Data/Images/Normal'),
      abnormal: joinPath(base, 'Data/Images/Anomaly'),
      masks: joinPath(base, 'Data/Masks/Anomaly'),
      ...choice,
    });
    const note = `no split table ${tree.locate(tablePath)}: split by ratio and seed instead`;
    return { ...loaded, name: category, layout: 'VisA', notes: [note, ...loaded.notes] };
  }
  const where = tree.locate(tablePath);
  const train: Sample[] = [];
  const test: Sample[] = [];
  for (const row of parseSplitTable(text, where)) {
    if (row.object !== category) continue;
    const name = insideCategory(row.image, category, where);
    const anomalous = row.label === 'anomaly';
    const mask = anomalous && row.mask !== '' ? insideCategory(row.mask, category, where) : undefined;
    const sample: Sample = {
      name,
      path: tree.locate(joinPath(base, name)),
      label: anomalous ? 1 : 0,
      kind: anomalous ? 'anomaly' : 'good',
      maskPath: mask === undefined ? undefined : tree.locate(joinPath(base, mask)),
    };
    if (row.split === 'test') test.push(sample);
    else if (!anomalous) train.push(sample);
  }
  if (train.length === 0) {
    throw new TilesightError('input', `${where}: no training images of ${category}; check the folder's name`);
  }
  const notes = testNotes(test);
  return {
    name: category,
    root,
    layout: 'VisA',
    notes,
    train: sortSamples(train),
    validation: [],
    test: sortSamples(test),
  };
}

/**
 * VisA as published: `<category>/Data/Images/{Normal,Anomaly}`, `<category>/Data/Masks/Anomaly` and beside the categories
 * `split_csv/1cls.csv`, which says what is trained on. Nothing is copied or changed.
 */
export const visa: Layout = {
  name: 'VisA',
  looksFor: 'Data/Images/Normal',
  matches: async (tree, base) => (await tree.list(joinPath(base, 'Data/Images/Normal'))) !== undefined,
  load,
};
