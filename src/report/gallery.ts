import type { ImageSize, Mask, RgbImage, Sample, ScoreMap } from '../data/image.js';
import type { DefectBox } from '../ensemble/boxes.js';
import type { Prediction } from '../ensemble/ensemble.js';
import type { ImageScoreRule, ImageScores } from '../ensemble/scores.js';
import { boundedSize, shrinkImage, shrinkMap, type Region } from './downscale.js';
import { outlinePath } from './outline.js';

/** Why an image is in the gallery. */
export type GalleryGroup = 'lowest-defective' | 'highest-good' | 'typical-defective' | 'typical-good' | 'unlabelled';

/** A piece of an image at (up to) its own resolution, so that a defect of a few pixels can be seen. */
export interface CloseUp {
  readonly region: Region;
  readonly image: RgbImage;
}

/** One image of the gallery, reduced to what a page shows of it. */
export interface GalleryEntry {
  readonly name: string;
  readonly kind: string;
  readonly label: 0 | 1 | undefined;
  /** By the run's score rule, normalised if the run says so. */
  readonly score: number;
  readonly threshold: number;
  readonly anomalous: boolean;
  readonly rawScores: ImageScores;
  /** Size of the image that the ensemble saw; outlines and boxes are in its pixels. */
  readonly size: ImageSize;
  readonly original: RgbImage;
  /** The prediction's map at the size of `original`, the largest of each box. */
  readonly map: ScoreMap;
  readonly closeUp: CloseUp;
  /** SVG path data of what the ensemble outlined, and of the truth where it is known. */
  readonly predicted: string;
  readonly truth: string | undefined;
  /** The highest boxes, and how many there are in all. */
  readonly boxes: readonly DefectBox[];
  readonly boxCount: number;
}

/** An image's scores, kept for every image. */
export interface ScoredImage {
  readonly name: string;
  readonly kind: string;
  readonly label: 0 | 1 | undefined;
  /** Raw, by the run's score rule. */
  readonly score: number;
  readonly anomalous: boolean;
}

/** How many images a gallery keeps and how large. */
export interface GalleryLimits {
  /** The worst of each label, and the highest of the unlabelled. */
  readonly worst: number;
  /** Taken at random of each label, with a fixed seed. */
  readonly typical: number;
  /** Longer side of a thumbnail in pixels. */
  readonly side: number;
  /** Side of a close-up on the page in pixels. */
  readonly closeUp: number;
}

/** Limits unless told otherwise: about 30 MB of host memory and 1–2 MB of page. */
export const defaultGalleryLimits: GalleryLimits = { worst: 6, typical: 3, side: 480, closeUp: 320 };

const boxesShown = 20;

/** What a finished gallery shows. */
export interface Gallery {
  readonly groups: Readonly<Record<GalleryGroup, readonly GalleryEntry[]>>;
  readonly images: readonly ScoredImage[];
}

/**
 * Chooses the images of a report while they are predicted, in memory bounded by the limits: the defective images with the
 * lowest scores, the good ones with the highest, and a random few of each. Give `collect` to `evaluateEnsemble` as
 * `onPrediction`.
 */
export class GalleryCollector {
  readonly #limits: GalleryLimits;
  readonly #images: ScoredImage[] = [];
  readonly #worst: Record<WorstGroup, Ranked[]> = {
    'lowest-defective': [],
    'highest-good': [],
    unlabelled: [],
  };
  readonly #typical: { readonly defective: Drawn[]; readonly good: Drawn[] } = { defective: [], good: [] };

  constructor(
    private readonly rule: ImageScoreRule,
    limits: Partial<GalleryLimits> = {},
  ) {
    this.#limits = { ...defaultGalleryLimits, ...limits };
  }

  /** Takes a prediction into account; what it does not keep may be reused. */
  readonly collect = (prediction: Prediction, sample: Sample, mask?: Mask): void => {
    const { name, kind, label } = sample;
    const score = prediction.rawScores[this.rule];
    const number = this.#images.length;
    this.#images.push({ name, kind, label, score, anomalous: prediction.anomalous });
    let made: GalleryEntry | undefined;
    const entry = (): GalleryEntry => (made ??= makeEntry(prediction, sample, mask, this.#limits));
    if (label === 1) this.#keepWorst('lowest-defective', score, entry);
    else if (label === 0) this.#keepWorst('highest-good', -score, entry);
    else this.#keepWorst('unlabelled', -score, entry);
    if (label !== undefined) this.#draw(label === 1 ? 'defective' : 'good', number, entry);
  };

  /** What was chosen. An image is in one group only. */
  finish(): Gallery {
    const { 'lowest-defective': lowest, 'highest-good': highest, unlabelled } = this.#worst;
    const worst = new Set([...lowest, ...highest].map(({ entry }) => entry.name));
    const typical = (drawn: readonly Drawn[]): GalleryEntry[] =>
      [...drawn]
        .sort((a, b) => a.number - b.number)
        .map(({ entry }) => entry)
        .filter((entry) => !worst.has(entry.name));
    return {
      images: this.#images,
      groups: {
        'lowest-defective': lowest.map(({ entry }) => entry),
        'highest-good': highest.map(({ entry }) => entry),
        'typical-defective': typical(this.#typical.defective),
        'typical-good': typical(this.#typical.good),
        unlabelled: unlabelled.map(({ entry }) => entry),
      },
    };
  }

  /** Keeps the entries of the lowest rank, earlier ones first on ties. */
  #keepWorst(group: WorstGroup, rank: number, entry: () => GalleryEntry): void {
    const kept = this.#worst[group];
    const last = kept.at(-1);
    if (kept.length >= this.#limits.worst && !(last && rank < last.rank)) return;
    const at = kept.findIndex((other) => rank < other.rank);
    kept.splice(at < 0 ? kept.length : at, 0, { rank, entry: entry() });
    kept.length = Math.min(kept.length, this.#limits.worst);
  }

  /** A random sample of fixed size: those with the smallest random keys, which depend on the image's number only. */
  #draw(label: 'defective' | 'good', number: number, entry: () => GalleryEntry): void {
    const drawn = this.#typical[label];
    const key = mixed(number);
    const last = drawn.at(-1);
    if (drawn.length >= this.#limits.typical && !(last && key < last.key)) return;
    const at = drawn.findIndex((other) => key < other.key);
    drawn.splice(at < 0 ? drawn.length : at, 0, { key, number, entry: entry() });
    drawn.length = Math.min(drawn.length, this.#limits.typical);
  }
}

type WorstGroup = 'lowest-defective' | 'highest-good' | 'unlabelled';

interface Ranked {
  readonly rank: number;
  readonly entry: GalleryEntry;
}

interface Drawn {
  readonly key: number;
  readonly number: number;
  readonly entry: GalleryEntry;
}

/** A well-mixed 32-bit number for a whole number (the finaliser of MurmurHash3). */
function mixed(number: number): number {
  let bits = (number + 1) | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

function makeEntry(
  prediction: Prediction,
  sample: Sample,
  truth: Mask | undefined,
  limits: GalleryLimits,
): GalleryEntry {
  const { image, map, mask, boxes } = prediction;
  const size = boundedSize(image, limits.side);
  const region = closeUpRegion(prediction, truth, limits.closeUp);
  return {
    name: sample.name,
    kind: sample.kind,
    label: sample.label,
    score: prediction.score,
    threshold: prediction.threshold,
    anomalous: prediction.anomalous,
    rawScores: { ...prediction.rawScores },
    size: { height: image.height, width: image.width },
    original: shrinkImage(image, size),
    map: shrinkMap(map, size),
    closeUp: { region, image: shrinkImage(image, boundedSize(region, limits.closeUp), region) },
    predicted: outlinePath(mask),
    truth: truth && outlinePath(truth),
    boxes: boxes.slice(0, boxesShown).map((box) => ({ ...box })),
    boxCount: boxes.length,
  };
}

/**
 * The square that a close-up shows: around the whole truth where it is small, else around the highest box, else around the
 * highest pixel; no smaller than what fills the close-up pixel by pixel in a large image.
 */
function closeUpRegion({ image, map, boxes }: Prediction, truth: Mask | undefined, shown: number): Region {
  const box = (truth && extent(truth)) ?? boxes[0] ?? highestPixel(map);
  const { height, width } = image;
  const smallest = Math.min(shown, Math.max(48, Math.round(Math.min(height, width) / 4)));
  const side = Math.min(height, width, Math.max(smallest, Math.round(Math.max(box.width, box.height) * 1.5)));
  const place = (centre: number, length: number): number =>
    Math.min(length - side, Math.max(0, Math.round(centre - side / 2)));
  return {
    left: place(box.left + box.width / 2, width),
    top: place(box.top + box.height / 2, height),
    height: side,
    width: side,
  };
}

/** The box around all that is set in a mask; undefined when nothing is. */
function extent({ height, width, data }: Mask): Region | undefined {
  let [top, bottom, left, right] = [height, 0, width, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if ((data[y * width + x] ?? 0) === 0) continue;
      top = Math.min(top, y);
      bottom = y + 1;
      left = Math.min(left, x);
      right = Math.max(right, x + 1);
    }
  }
  return bottom > top ? { top, left, height: bottom - top, width: right - left } : undefined;
}

function highestPixel({ width, data }: ScoreMap): Region {
  let at = 0;
  for (let index = 1; index < data.length; index++) if ((data[index] ?? 0) > (data[at] ?? 0)) at = index;
  return { top: Math.floor(at / width), left: at % width, height: 1, width: 1 };
}
