import type { ImageSize } from '../data/image.js';

/** What a run computes: everything that changes its results, and nothing else. Its hash guards a resume. */
export interface RunConfiguration {
  readonly model: string;
  /** The model's own options, complete with defaults. */
  readonly modelOptions: Readonly<Record<string, number | string | boolean>>;
  readonly backbone: string;
  /** SHA-256 of the backbone's weights. */
  readonly weights: string;
  readonly imageSize: ImageSize;
  readonly tileSize: ImageSize;
  readonly stride: ImageSize;
  /** Tiles that the frozen part computes at once. Results do not depend on it for fitted statistics, but steps do. */
  readonly batch: number;
  readonly seed: number;
  /** One model for all positions instead of one a position. */
  readonly shared: boolean;
  /** Weight of a tile's pixels where tiles overlap: all the same (the paper's), or falling towards the edge. */
  readonly window: 'mean' | 'smooth';
  /** Blur along the seams between tiles. */
  readonly seams: { readonly apply: boolean; readonly sigma: number; readonly width: number };
  readonly normalization: 'tile' | 'image' | 'none';
  readonly threshold: 'tile' | 'image';
  /** Score of an image: the largest value of its merged map, or the paper's mean of its tiles' scores. */
  readonly score: 'maximum' | 'mean';
  readonly validation: ValidationRule;
  /** Training images, by name, with what tells that they are the same files. */
  readonly trainingImages: readonly string[];
}

/** What thresholds and normalisation are fitted on. */
export interface ValidationRule {
  /** Held-out good images, a share of the labelled test images (which then are not tested), or the test images as in the paper. */
  readonly split: 'held-out' | 'from-test' | 'same-as-test';
  /** Share that is held out, where the data set has no validation split of its own. */
  readonly ratio: number;
  /** Share of good images below the image threshold where there are no defects to fit it on. */
  readonly imageQuantile: number;
  /** Share of good pixels below the pixel threshold, likewise. */
  readonly pixelQuantile: number;
}

/** JSON with sorted keys: one text for one value. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, entry: unknown) => {
    if (entry === null || typeof entry !== 'object' || Array.isArray(entry)) return entry;
    return Object.fromEntries(Object.entries(entry).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  });
}

/** SHA-256 of bytes or text, in hexadecimal. */
export async function sha256(data: Uint8Array | string): Promise<string> {
  const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
  const digest = await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The hash that a run folder carries for its configuration. */
export function configurationHash(configuration: RunConfiguration): Promise<string> {
  return sha256(canonicalJson(configuration));
}

/** The first setting in which two configurations differ, as `name: a instead of b`; undefined when they agree. */
export function firstDifference(wanted: RunConfiguration, stored: RunConfiguration): string | undefined {
  for (const key of Object.keys(wanted) as (keyof RunConfiguration)[]) {
    const [a, b] = [canonicalJson(wanted[key]), canonicalJson(stored[key])];
    if (a === b) continue;
    return key === 'trainingImages' ? 'other training images' : `${key}: ${a} instead of ${b}`;
  }
  return undefined;
}
