import { TilesightError } from '../../engine/errors.js';
import { compareCodePoints, lastPart, listFolders, listImages, someNames, type FileTree } from '../files.js';
import type { Sample } from '../image.js';
import { loadFolders, type FolderOptions } from './folder.js';
import { testNotes, type Layout, type LoadedDataset, type SplitChoice } from './layout.js';
import { mvtecAd2 } from './mvtec-ad-2.js';
import { mvtecAd } from './mvtec-ad.js';
import { visa } from './visa.js';

/** The layouts that are recognised by their folders; the more special stand first. */
const layouts: readonly Layout[] = [mvtecAd2, mvtecAd, visa];

/** What to load from a tree. With `normal` the folders are taken as named, else the layout is recognised. */
export interface DatasetOptions extends Partial<FolderOptions> {
  /** Which category of a root that holds several. */
  readonly category?: string;
}

async function layoutOf(tree: FileTree, base: string): Promise<Layout | undefined> {
  for (const layout of layouts) {
    if (await layout.matches(tree, base)) return layout;
  }
  return undefined;
}

/**
 * Loads a data set: MVTec AD, MVTec AD 2 and VisA by their folders (of one category, or of several with `category`), a
 * folder of images as good ones, or the plain folders that the options name.
 *
 * @throws TilesightError (`input`) where nothing is recognised; it says what was looked for.
 */
export async function loadDataset(tree: FileTree, options: DatasetOptions = {}): Promise<LoadedDataset> {
  const { normal, abnormal, masks, category, seed = 42, testRatio = 0.2 } = options;
  const choice: SplitChoice = { seed, testRatio };
  if (normal !== undefined) return loadFolders(tree, { normal, abnormal, masks, ...choice });
  if (abnormal !== undefined || masks !== undefined) {
    throw new TilesightError('usage', '--abnormal and --masks need --normal, the folder of good images');
  }
  if ((await tree.list('')) === undefined) {
    throw new TilesightError('input', `${tree.root}: no such folder; check the path given to --data`);
  }
  const own = category === undefined ? await layoutOf(tree, '') : undefined;
  if (own !== undefined) return own.load(tree, '', choice);

  const folders = await listFolders(tree, '');
  const categories: { name: string; layout: Layout }[] = [];
  for (const name of folders) {
    const layout = await layoutOf(tree, name);
    if (layout !== undefined) categories.push({ name, layout });
  }
  const names = categories.map(({ name }) => name);
  if (category !== undefined) {
    const chosen = categories.find(({ name }) => name === category);
    if (chosen !== undefined) return chosen.layout.load(tree, chosen.name, choice);
    const held = names.length > 0 ? `it holds ${names.join(', ')}` : 'it holds no category';
    throw new TilesightError('input', `${tree.root}: no category ${category}; ${held}`);
  }
  const [only] = categories;
  if (only !== undefined && categories.length === 1) {
    const loaded = await only.layout.load(tree, only.name, choice);
    return { ...loaded, notes: [`took ${only.name}, the only category of ${tree.root}`, ...loaded.notes] };
  }
  if (only !== undefined) {
    throw new TilesightError(
      'input',
      `${tree.root}: holds several categories; add --category with one of ${names.join(', ')}`,
    );
  }

  const images = (await listImages(tree, '')) ?? [];
  if (images.length > 0) return photographs(tree, images, folders);
  throw await notRecognised(tree);
}

/** Images directly in the root are good ones; subfolders are left out, and said to be. */
function photographs(tree: FileTree, images: readonly string[], folders: readonly string[]): LoadedDataset {
  const train = images.map((name): Sample => ({
    name,
    path: tree.locate(name),
    label: 0,
    kind: 'good',
    maskPath: undefined,
  }));
  const left =
    folders.length === 0 ? [] : [`left out the folders ${someNames(folders)}: --normal and --abnormal name some`];
  const root = tree.locate('');
  return {
    name: lastPart(root),
    root,
    layout: 'folder',
    notes: [...left, ...testNotes([])],
    train,
    validation: [],
    test: [],
  };
}

async function notRecognised(tree: FileTree): Promise<TilesightError> {
  const entries = (await tree.list('')) ?? [];
  const names = entries.map((entry) => (entry.isFolder ? `${entry.name}/` : entry.name)).sort(compareCodePoints);
  const held = names.length === 0 ? 'the folder is empty' : `it holds ${someNames(names)}`;
  const wanted = layouts.map((layout) => `${layout.looksFor} (${layout.name})`).join(', ');
  return new TilesightError(
    'input',
    `${tree.root}: no data set found; looked for ${wanted}, folders of such categories, and images; ${held}; ` +
      'name the folder of good images with --normal',
  );
}
