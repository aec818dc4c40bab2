/** Side of the grey thumbnail that a tile is reduced to. */
export const THUMBNAIL_SIZE = 16;

/**
 * Mean correlation between images from which they count as aligned. On MVTec AD's *bottle* (tiles of 512 to 64 pixels at 512²) it is
 * 1.00 to 0.82; the same images shifted at random by up to 15 % give 0.88 to 0.14, turned at random 0.67 to 0.09, textures 0.
 */
export const ALIGNED_CORRELATION = 0.7;

/** Contrast (standard deviation in grey levels of 0 to 255) below which a tile is taken for plain background. */
const PLAIN_CONTRAST = 2;

/** Pixels an axis that the mean of a thumbnail's cell is taken from, about; more would only take time. */
const SAMPLES = 8;

/** Smallest number of images for a verdict. */
const FEWEST_IMAGES = 3;

/** How well the good images lie on top of each other. */
export interface Alignment {
  /**
   * `aligned`: each position shows the same part of the object in all images, a model a position (and a position-bound model) is
   * right. `unaligned`: it does not. `unknown`: fewer than three images, or nothing but plain tiles.
   */
  readonly verdict: 'aligned' | 'unaligned' | 'unknown';
  /** Mean of the positions' correlations, weighted by their contrast; undefined if the verdict is unknown. */
  readonly correlation: number | undefined;
  /** Mean correlation between the tiles of two images, a position; undefined where the tiles are plain. */
  readonly positions: readonly (number | undefined)[];
  /** What to do, in one line. */
  readonly advice: string;
}

/** What is kept of a position: sums over its images, so that memory does not grow with them. */
interface PositionSums {
  /** Sum of the normalised thumbnails (mean 0, length 1). */
  readonly direction: Float64Array;
  /** Thumbnails with structure, and all of them. */
  structured: number;
  images: number;
  /** Sum of the variances of the thumbnails, in squared grey levels. */
  variance: number;
}

/**
 * Measures how well good images are aligned, position by position, from one pass over their tiles.
 *
 * Each tile becomes a grey thumbnail of 16×16 means. Its best-fitting plane is taken off (so that lighting that falls off
 * alike in all images does not pass for structure), and it is scaled to length 1. The mean correlation over all pairs of the n
 * images at a position is then (‖Σ v‖² − n) / (n (n − 1)), with v the thumbnails as vectors: 1 when all show the same, 0 when they
 * have nothing in common. Brightness and contrast of an image have no influence. Plain tiles are left out.
 */
export class AlignmentStatistics {
  readonly #positions: PositionSums[];

  constructor(positions: number) {
    this.#positions = Array.from({ length: positions }, () => ({
      direction: new Float64Array(THUMBNAIL_SIZE ** 2),
      structured: 0,
      images: 0,
      variance: 0,
    }));
  }

  /**
   * Adds one tile of one image.
   *
   * @param position number of the tile position
   * @param tile 8-bit RGB, `height · width · 3` bytes
   */
  add(position: number, tile: Uint8Array, height: number, width: number): void {
    const sums = this.#positions[position];
    if (sums === undefined) throw new RangeError(`There is no tile position ${position}.`);
    const thumbnail = withoutPlane(greyThumbnail(tile, height, width));
    let squares = 0;
    for (const value of thumbnail) squares += value * value;
    const variance = squares / thumbnail.length;
    sums.images++;
    sums.variance += variance;
    if (variance < PLAIN_CONTRAST ** 2) return;
    sums.structured++;
    const length = Math.sqrt(squares);
    for (let index = 0; index < thumbnail.length; index++) {
      sums.direction[index] = (sums.direction[index] ?? 0) + (thumbnail[index] ?? 0) / length;
    }
  }

  /** The verdict on what was added so far. */
  result(): Alignment {
    const positions = this.#positions.map(correlationOf);
    let weighted = 0;
    let weights = 0;
    positions.forEach((correlation, index) => {
      const sums = this.#positions[index];
      if (correlation === undefined || sums === undefined) return;
      const weight = Math.sqrt(sums.variance / sums.images);
      weighted += weight * correlation;
      weights += weight;
    });
    if (weights === 0) {
      return {
        verdict: 'unknown',
        correlation: undefined,
        positions,
        advice:
          'The alignment of the good images is unknown: there are too few of them, or they show nothing but plain surface.',
      };
    }
    const correlation = weighted / weights;
    const figure = `mean correlation of the same tile in two images ${correlation.toFixed(2)}`;
    return correlation >= ALIGNED_CORRELATION
      ? {
          verdict: 'aligned',
          correlation,
          positions,
          advice: `The good images are aligned (${figure}): a model for each tile position fits.`,
        }
      : {
          verdict: 'unaligned',
          correlation,
          positions,
          advice: `The good images are not aligned (${figure}): a model for each tile position will miss defects; use one shared model (--shared) that is not bound to positions, such as --model patchcore, or align the images first.`,
        };
  }
}

/** Mean correlation of all pairs of images at a position; undefined where fewer than half of the tiles have structure. */
function correlationOf(sums: PositionSums): number | undefined {
  const count = sums.structured;
  if (count < FEWEST_IMAGES || count * 2 < sums.images) return undefined;
  let squares = 0;
  for (const value of sums.direction) squares += value * value;
  return (squares - count) / (count * (count - 1));
}

/**
 * Reduces a tile to grey means over a raster of `THUMBNAIL_SIZE`² cells (Rec. 601 luma, 0 to 255). A tile with fewer pixels than
 * cells repeats them.
 */
function greyThumbnail(tile: Uint8Array, height: number, width: number): Float64Array {
  if (tile.length !== height * width * 3)
    throw new RangeError(`A tile of ${height}×${width} pixels has ${tile.length} bytes.`);
  const thumbnail = new Float64Array(THUMBNAIL_SIZE ** 2);
  const stepY = Math.max(1, Math.floor(height / THUMBNAIL_SIZE / SAMPLES));
  const stepX = Math.max(1, Math.floor(width / THUMBNAIL_SIZE / SAMPLES));
  for (let row = 0; row < THUMBNAIL_SIZE; row++) {
    const top = Math.floor((row * height) / THUMBNAIL_SIZE);
    const bottom = Math.max(top + 1, Math.floor(((row + 1) * height) / THUMBNAIL_SIZE));
    for (let column = 0; column < THUMBNAIL_SIZE; column++) {
      const left = Math.floor((column * width) / THUMBNAIL_SIZE);
      const right = Math.max(left + 1, Math.floor(((column + 1) * width) / THUMBNAIL_SIZE));
      let sum = 0;
      let count = 0;
      for (let y = top; y < bottom; y += stepY) {
        for (let x = left; x < right; x += stepX) {
          const at = (y * width + x) * 3;
          sum += 0.299 * (tile[at] ?? 0) + 0.587 * (tile[at + 1] ?? 0) + 0.114 * (tile[at + 2] ?? 0);
          count++;
        }
      }
      thumbnail[row * THUMBNAIL_SIZE + column] = sum / count;
    }
  }
  return thumbnail;
}

/** Takes the least-squares plane (mean and slope on both axes) off a thumbnail. */
function withoutPlane(thumbnail: Float64Array): Float64Array {
  const centre = (THUMBNAIL_SIZE - 1) / 2;
  let sum = 0;
  let slopeX = 0;
  let slopeY = 0;
  let squares = 0;
  thumbnail.forEach((value, index) => {
    const x = (index % THUMBNAIL_SIZE) - centre;
    const y = Math.floor(index / THUMBNAIL_SIZE) - centre;
    sum += value;
    slopeX += value * x;
    slopeY += value * y;
    squares += x * x;
  });
  const mean = sum / thumbnail.length;
  return thumbnail.map((value, index) => {
    const x = (index % THUMBNAIL_SIZE) - centre;
    const y = Math.floor(index / THUMBNAIL_SIZE) - centre;
    return value - mean - (slopeX * x + slopeY * y) / squares;
  });
}
