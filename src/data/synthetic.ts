import { TilesightError } from '../engine/errors.js';
import type { ImageSize, ImageWriter, Mask, RgbImage } from './image.js';
import { defectKinds, type DefectKind } from './synthetic/defects.js';
import { defaultDefectPixels, generateSample } from './synthetic/sample.js';

export { defectKinds, type DefectKind } from './synthetic/defects.js';
export { defaultDefectPixels, generateSample, type SampleOptions, type SyntheticSample } from './synthetic/sample.js';

/** How many images of each kind a synthetic data set has. */
export interface SyntheticCounts {
  readonly train: number;
  readonly testGood: number;
  /** Test images of each kind of defect. */
  readonly testPerKind: number;
}

/** A synthetic data set. */
export interface SyntheticOptions {
  readonly size: ImageSize;
  readonly counts: SyntheticCounts;
  /** Sides in pixels of the squares that hold the defects, taken in turn. Default one of about a sixteenth at 512. */
  readonly defectPixels?: readonly number[];
  /** Which kinds of defect; default all. */
  readonly kinds?: readonly DefectKind[];
  readonly seed: number;
  /** How far the object may be moved in an image, in pixels. Default 1. */
  readonly jitter?: number;
  /** A fabric without a pose in place of the aligned board. */
  readonly textured?: boolean;
}

/** Where a synthetic data set goes. */
export interface SyntheticTarget {
  readonly writer: ImageWriter;
  /** Makes a folder and those above it. */
  makeFolder(path: string): Promise<void>;
  /** Called after each image. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** One image of a data set to be drawn. */
interface Planned {
  readonly folder: string;
  readonly name: string;
  readonly defect: DefectKind | undefined;
  readonly index: number;
  readonly maxDefectPixels: number;
}

/** All images of a data set in the order in which they are written; each has an index of its own. */
function planImages(options: SyntheticOptions): Planned[] {
  const { counts, defectPixels = [defaultDefectPixels(options.size)], kinds = defectKinds } = options;
  for (const [what, count] of Object.entries(counts)) {
    if (!Number.isInteger(count) || count < 0) {
      throw new TilesightError('usage', `synthetic data: ${what} ${count}: it must be a whole number from 0`);
    }
  }
  const planned: Planned[] = [];
  const add = (folder: string, count: number, defect: DefectKind | undefined): void => {
    for (let i = 0; i < count; i += 1) {
      const name = String(i).padStart(3, '0');
      const maxDefectPixels = defectPixels[i % defectPixels.length] ?? defaultDefectPixels(options.size);
      planned.push({ folder, name, defect, index: planned.length, maxDefectPixels });
    }
  };
  add('train/good', counts.train, undefined);
  add('test/good', counts.testGood, undefined);
  for (const kind of kinds) add(`test/${kind}`, counts.testPerKind, kind);
  return planned;
}

/** A mask as a grey image, 0 and 255. */
export function maskImage(mask: Mask): RgbImage {
  const data = new Uint8Array(mask.data.length * 3);
  mask.data.forEach((value, i) => data.fill(value > 0 ? 255 : 0, 3 * i, 3 * i + 3));
  return { height: mask.height, width: mask.width, data };
}

/**
 * Writes a synthetic data set in MVTec AD layout: `train/good`, `test/good`, `test/<kind>` and
 * `ground_truth/<kind>/NNN_mask.png`. Same options, same bytes.
 *
 * @returns how many images were written, masks not counted
 */
export async function writeSynthetic(
  root: string,
  options: SyntheticOptions,
  target: SyntheticTarget,
): Promise<number> {
  const planned = planImages(options);
  for (const folder of new Set(planned.map((image) => image.folder))) {
    await target.makeFolder(`${root}/${folder}`);
    if (folder.startsWith('test/') && folder !== 'test/good') {
      await target.makeFolder(`${root}/${folder.replace(/^test/, 'ground_truth')}`);
    }
  }
  for (const [done, { folder, name, defect, index, maxDefectPixels }] of planned.entries()) {
    const { seed, size, jitter, textured } = options;
    const sample = generateSample({ seed, index, size, defect, maxDefectPixels, jitter, textured });
    await target.writer.writePng(`${root}/${folder}/${name}.png`, sample.image);
    if (defect !== undefined) {
      await target.writer.writePng(`${root}/ground_truth/${defect}/${name}_mask.png`, maskImage(sample.mask));
    }
    target.onProgress?.(done + 1, planned.length);
  }
  return planned.length;
}
