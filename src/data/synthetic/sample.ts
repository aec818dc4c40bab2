import { TilesightError } from '../../engine/errors.js';
import { formatImageSize, type ImageSize, type Mask, type RgbImage } from '../image.js';
import { boardScene } from './board.js';
import { expose } from './camera.js';
import { addDefect, defectKinds, type DefectKind } from './defects.js';
import { fabricScene } from './fabric.js';
import { createRandom } from './random.js';
import { unitOf } from './scene.js';

/** One synthetic image. */
export interface SampleOptions {
  /** Chooses the board (or yarn): the same for all images of a data set. A whole number. */
  readonly seed: number;
  /** Which image of the data set: pose, tolerances, light, noise and the defect's place. A whole number from 0. */
  readonly index: number;
  /** Height and width in pixels, each from 32. */
  readonly size: ImageSize;
  /** The kind of defect to put in; none for a good image. */
  readonly defect?: DefectKind;
  /** Side in pixels of the square that holds the defect, from 6. Default 32 at 512 pixels, growing with the square root. */
  readonly maxDefectPixels?: number;
  /** How far the object may be moved, in pixels. Default 1. Means nothing for a textured surface. */
  readonly jitter?: number;
  /** A fabric without a pose in place of the aligned board. */
  readonly textured?: boolean;
}

/** A synthetic image with its exact mask (255 where the defect changed the image). */
export interface SyntheticSample {
  readonly image: RgbImage;
  readonly mask: Mask;
  readonly kind: 'good' | DefectKind;
}

/** Side in pixels of the default defect for an image size. */
export function defaultDefectPixels(size: ImageSize): number {
  return Math.max(12, Math.round(32 * unitOf(size)));
}

function validate(options: SampleOptions): void {
  const { size, index, maxDefectPixels, jitter = 1, defect } = options;
  const refuse = (what: string): never => {
    throw new TilesightError('usage', `synthetic image: ${what}`);
  };
  for (const side of [size.height, size.width]) {
    if (!Number.isInteger(side) || side < 32)
      refuse(`size ${formatImageSize(size)}: each side must be a whole number from 32`);
  }
  if (!Number.isInteger(index) || index < 0) refuse(`index ${index}: it must be a whole number from 0`);
  if (!(jitter >= 0 && jitter <= Math.min(size.height, size.width) / 8)) {
    refuse(`jitter ${jitter}: it must lie between 0 and an eighth of the image`);
  }
  if (defect !== undefined && !defectKinds.includes(defect))
    refuse(`defect ${defect as string}: known are ${defectKinds.join(', ')}`);
  const most = Math.floor(Math.min(size.height, size.width) / 2);
  if (maxDefectPixels !== undefined && !(maxDefectPixels >= 6 && maxDefectPixels <= most)) {
    refuse(`defect size ${maxDefectPixels}: it must lie between 6 and half the image, ${most} pixels`);
  }
}

/**
 * Draws one image of a printed board (or of a fabric) with at most one defect: a pure function of its options, the same
 * bytes on every machine. The image with a defect differs from the one without only where its mask is set.
 */
export function generateSample(options: SampleOptions): SyntheticSample {
  validate(options);
  const { seed, index, size, defect, jitter = 1, textured = false } = options;
  const { height, width } = size;
  const scene = textured ? fabricScene(seed, index, size) : boardScene(seed, index, size, jitter);
  const data = scene.render({ left: 0, top: 0, width, height });
  const image: RgbImage = { height, width, data };
  const mask: Mask = { height, width, data: new Uint8Array(height * width) };
  if (defect !== undefined) {
    const extent = Math.round(options.maxDefectPixels ?? defaultDefectPixels(size));
    addDefect(scene, image, mask, defect, extent, createRandom(seed, index, 6, defectKinds.indexOf(defect)));
  }
  expose(data, height, width, seed, index);
  return { image, mask, kind: defect ?? 'good' };
}
