import { joinPath, lastPart, listFolders, listImages, noImagesError, someNames, type FileTree } from '../files.js';
import type { Sample } from '../image.js';
import { sortSamples } from '../splits.js';
import { matchMasks, testNotes, type Layout, type LoadedDataset } from './layout.js';

/** Where the parts of an MVTec data set lie under the category's folder. */
export interface MvtecFolders {
  readonly test: string;
  readonly groundTruth: string;
}

/** Good images directly in `base/folder`; undefined where there is no such folder. */
async function goodSamples(tree: FileTree, base: string, folder: string): Promise<Sample[] | undefined> {
  const names = await listImages(tree, joinPath(base, folder));
  return names?.map((image): Sample => {
    const name = joinPath(folder, image);
    return { name, path: tree.locate(joinPath(base, name)), label: 0, kind: 'good', maskPath: undefined };
  });
}

/** Reads MVTec AD and its relatives: train/good, perhaps validation/good, and a folder of test kinds with masks beside. */
export async function loadMvtec(
  tree: FileTree,
  base: string,
  layout: string,
  folders: MvtecFolders,
): Promise<LoadedDataset> {
  const train = (await goodSamples(tree, base, 'train/good')) ?? [];
  if (train.length === 0) throw await noImagesError(tree, joinPath(base, 'train/good'));
  const validation = (await goodSamples(tree, base, 'validation/good')) ?? [];
  const notes: string[] = [];
  const test: Sample[] = [];
  for (const kind of await listFolders(tree, joinPath(base, folders.test))) {
    const folder = joinPath(folders.test, kind);
    if (folder === folders.groundTruth) continue;
    const images = (await listImages(tree, joinPath(base, folder))) ?? [];
    const maskFolder = joinPath(folders.groundTruth, kind);
    const masks = kind === 'good' ? [] : ((await listImages(tree, joinPath(base, maskFolder))) ?? []);
    const matched = matchMasks(images, masks);
    if (images.length === 0) notes.push(`${folder} holds no images`);
    if (matched.unmatched.length > 0) notes.push(`${maskFolder}: no image for ${someNames(matched.unmatched)}`);
    for (const image of images) {
      const name = joinPath(folder, image);
      const mask = matched.byImage.get(image);
      test.push({
        name,
        path: tree.locate(joinPath(base, name)),
        label: kind === 'good' ? 0 : 1,
        kind,
        maskPath: mask === undefined ? undefined : tree.locate(joinPath(base, maskFolder, mask)),
      });
    }
  }
  const root = tree.locate(base);
  notes.push(...testNotes(test));
  return { name: lastPart(root), root, layout, notes, train, validation, test: sortSamples(test) };
}

/** MVTec AD: `train/good`, `test/<kind>`, `ground_truth/<kind>/NNN_mask.png`. */
export const mvtecAd: Layout = {
  name: 'MVTec AD',
  looksFor: 'train/good',
  matches: async (tree, base) => (await tree.list(joinPath(base, 'train/good'))) !== undefined,
  load: (tree, base) => loadMvtec(tree, base, 'MVTec AD', { test: 'test', groundTruth: 'ground_truth' }),
};
