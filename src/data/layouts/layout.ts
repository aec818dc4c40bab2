import type { Dataset, Sample } from '../image.js';
import { joinPath, stemOf, type FileTree } from '../files.js';

/** A data set as found on disk, with what its reader should know about it. */
export interface LoadedDataset extends Dataset {
  /** Name of the layout: `MVTec AD`, `MVTec AD 2`, `VisA` or `folder`. */
  readonly layout: string;
  /** One line each: what is missing or was left out, without being an error. */
  readonly notes: readonly string[];
}

/** Choices that some layouts need; `seed` and `testRatio` only where a layout has no split of its own. */
export interface SplitChoice {
  readonly seed: number;
  readonly testRatio: number;
}

/** A way to arrange a data set in folders. `base` is the category's folder, `''` for the root itself. */
export interface Layout {
  readonly name: string;
  /** What it is recognised by, for messages. */
  readonly looksFor: string;
  matches(tree: FileTree, base: string): Promise<boolean>;
  load(tree: FileTree, base: string, choice: SplitChoice): Promise<LoadedDataset>;
}

/** Masks found for images, by image name, and the masks that belong to none. */
export interface MatchedMasks {
  readonly byImage: ReadonlyMap<string, string>;
  readonly unmatched: readonly string[];
}

/**
 * Pairs images with masks by name: `000.png` with `000_mask.*` or `000.*`, in the same subfolder.
 *
 * @param images paths relative to the images' folder
 * @param masks paths relative to the masks' folder
 */
export function matchMasks(images: readonly string[], masks: readonly string[]): MatchedMasks {
  const key = (path: string, stem: string): string => joinPath(path.slice(0, Math.max(0, path.lastIndexOf('/'))), stem);
  const byStem = new Map(masks.map((mask) => [key(mask, stemOf(mask)), mask]));
  const byImage = new Map<string, string>();
  for (const image of images) {
    const stem = stemOf(image);
    const mask = byStem.get(key(image, `${stem}_mask`)) ?? byStem.get(key(image, stem));
    if (mask !== undefined) byImage.set(image, mask);
  }
  const used = new Set(byImage.values());
  return { byImage, unmatched: masks.filter((mask) => !used.has(mask)) };
}

/** Notes that hold for every layout: no test split, or one without defects or without good images. */
export function testNotes(test: readonly Sample[]): string[] {
  if (test.length === 0) return ['no test images: nothing can be evaluated'];
  if (!test.some((sample) => sample.label === 1)) return ['the test split has no defects: no AUROC can be computed'];
  if (!test.some((sample) => sample.label === 0))
    return ['the test split has no good images: no AUROC can be computed'];
  return [];
}
