import { joinPath, lastPart, noImagesError, someNames, walkImages, type FileTree } from '../files.js';
import type { Sample } from '../image.js';
import { holdOut, sortSamples } from '../splits.js';
import { matchMasks, testNotes, type LoadedDataset } from './layout.js';

/** Plain folders of photographs. Paths are absolute or relative to the tree's root. */
export interface FolderOptions {
  /** Folder of good images, walked with its subfolders. */
  readonly normal: string;
  /** Folder of defective images; a subfolder names a kind of defect. */
  readonly abnormal?: string;
  /** Folder of masks, named and nested as the defective images (`x_mask.png` or `x.png` for `x.jpg`). */
  readonly masks?: string;
  /** Share of the good images that is kept for the test where there are defective ones. Default 0.2. */
  readonly testRatio?: number;
  /** Chooses which good images are tested on. Default 42. */
  readonly seed?: number;
}

/** The deepest folder that holds all the given located folders below it. */
function commonParent(paths: readonly string[]): string[] {
  const [first = [], ...rest] = paths.map((path) => path.split('/').slice(0, -1));
  const length = rest.reduce((shared, parts) => {
    let i = 0;
    while (i < shared && parts[i] === first[i]) i += 1;
    return i;
  }, first.length);
  return first.slice(0, length);
}

/**
 * Reads a plain folder of good images and perhaps one of defective ones. Names are relative to the tree's root where the
 * folders lie in it, else to the folder that holds them all, so that outputs named from them never leave their folder.
 */
export async function loadFolders(tree: FileTree, options: FolderOptions): Promise<LoadedDataset> {
  const { abnormal, masks, testRatio = 0.2, seed = 42 } = options;
  const given = [options.normal, abnormal, masks].filter((folder) => folder !== undefined);
  const located = given.map((folder) => tree.locate(folder));
  const ownRoot = tree.locate('');
  const inside = located.every((path) => path === ownRoot || path.startsWith(ownRoot.replace(/\/?$/, '/')));
  const root = inside ? ownRoot : commonParent(located).join('/');
  const nameOf = (path: string): string => path.slice(root.length).replace(/^\/+/, '');

  const read = async (folder: string, kindOf: (path: string) => string, label: 0 | 1): Promise<Sample[]> => {
    const own = tree.locate(folder);
    const paths = await walkImages(
      tree,
      folder,
      located.filter((path) => path !== own),
    );
    if (paths.length === 0) throw await noImagesError(tree, folder);
    return paths.map((path) => {
      const absolute = tree.locate(joinPath(folder, path));
      return { name: nameOf(absolute), path: absolute, label, kind: kindOf(path), maskPath: undefined };
    });
  };

  const notes: string[] = [];
  const good = await read(options.normal, () => 'good', 0);
  let train = good;
  let test: Sample[] = [];
  if (abnormal !== undefined) {
    const ownName = lastPart(tree.locate(abnormal));
    const kindOf = (path: string): string => (path.includes('/') ? path.slice(0, path.indexOf('/')) : ownName);
    let defective = await read(abnormal, kindOf, 1);
    if (masks !== undefined) {
      const maskNames = await walkImages(tree, masks);
      if (maskNames.length === 0) throw await noImagesError(tree, masks);
      const abnormalRoot = tree.locate(abnormal);
      const relative = (sample: Sample): string => sample.path.slice(abnormalRoot.length + 1);
      const matched = matchMasks(defective.map(relative), maskNames);
      if (matched.unmatched.length > 0) notes.push(`${masks}: no image for ${someNames(matched.unmatched)}`);
      defective = defective.map((sample) => {
        const mask = matched.byImage.get(relative(sample));
        return mask === undefined ? sample : { ...sample, maskPath: tree.locate(joinPath(masks, mask)) };
      });
    }
    const { kept, heldOut } = holdOut(good, testRatio, seed);
    train = kept;
    test = sortSamples([...heldOut, ...defective]);
  }
  notes.push(...testNotes(test));
  const name = lastPart(inside ? ownRoot : tree.locate(options.normal));
  return { name, root, layout: 'folder', notes, train: sortSamples(train), validation: [], test };
}
