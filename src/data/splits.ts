import { TilesightError } from '../engine/errors.js';
import { compareCodePoints } from './files.js';
import type { Dataset, Sample } from './image.js';

/**
 * Where the images that thresholds and normalisation are fitted on come from: those the layout names or else good
 * images held out of training (`held-out`), a part of each kind of the test images, which then are not tested
 * (`from-test`), or the test images themselves (`same-as-test`, only for comparing with published figures).
 */
export type ValidationMode = 'held-out' | 'from-test' | 'same-as-test';

/** How a data set is split. */
export interface SplitOptions {
  /** Default `held-out`. */
  readonly validation?: ValidationMode;
  /** Share of the images that is held out, above 0 and below 1. Default 0.1 of train, or 0.5 of each test kind. */
  readonly validationRatio?: number;
  /** Chooses which images are held out. Default 42. */
  readonly seed?: number;
  /** Use at most this many images of each split; default all. */
  readonly limit?: number;
}

/** The three lists of images that a run uses, each sorted by name. */
export interface Splits {
  readonly train: readonly Sample[];
  readonly validation: readonly Sample[];
  readonly test: readonly Sample[];
  /** Where the validation images came from, in words for the report. */
  readonly validationSource: string;
}

/** A 32-bit hash of a name under a seed (FNV-1a over UTF-16 units, then murmur3's finaliser). */
function nameHash(seed: number, name: string): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (let i = 0; i < name.length; i += 1) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/**
 * Holds out a share of the samples: those whose names hash lowest under the seed, so that the choice depends neither on
 * the order of the list nor, mostly, on what else is added to the folder. At least one is held out and at least one
 * is kept; a single sample is kept.
 */
export function holdOut(
  samples: readonly Sample[],
  ratio: number,
  seed: number,
): { kept: Sample[]; heldOut: Sample[] } {
  if (!(ratio > 0 && ratio < 1)) {
    throw new TilesightError('usage', `split ratio ${ratio}: it must be above 0 and below 1`);
  }
  const count = samples.length < 2 ? 0 : Math.min(samples.length - 1, Math.max(1, Math.round(samples.length * ratio)));
  const ranked = samples
    .map((sample) => ({ sample, hash: nameHash(seed, sample.name) }))
    .sort((a, b) => a.hash - b.hash || compareCodePoints(a.sample.name, b.sample.name))
    .map(({ sample }) => sample);
  return { heldOut: sortSamples(ranked.slice(0, count)), kept: sortSamples(ranked.slice(count)) };
}

/** A copy sorted by name (code points). */
export function sortSamples(samples: readonly Sample[]): Sample[] {
  return [...samples].sort((a, b) => compareCodePoints(a.name, b.name));
}

/** The samples of each kind, in the order in which the kinds first appear. */
function byKind(samples: readonly Sample[]): Sample[][] {
  const groups = new Map<string, Sample[]>();
  for (const sample of samples) {
    const group = groups.get(sample.kind);
    if (group === undefined) groups.set(sample.kind, [sample]);
    else group.push(sample);
  }
  return [...groups.values()];
}

/**
 * The first `limit` samples, taken in turn from each kind (the first of every kind, then the second, …; good ones first)
 * so that a limited test split still holds good and defective images. Sorted by name again.
 */
export function limitSamples(samples: readonly Sample[], limit: number | undefined): Sample[] {
  if (limit === undefined) return sortSamples(samples);
  if (!Number.isInteger(limit) || limit < 1) {
    throw new TilesightError('usage', `limit ${limit}: it must be a whole number from 1`);
  }
  if (samples.length <= limit) return sortSamples(samples);
  const kinds = byKind(sortSamples(samples)).sort((a, b) => (a[0]?.label ?? 0) - (b[0]?.label ?? 0));
  const chosen: Sample[] = [];
  for (let round = 0; chosen.length < limit; round += 1) {
    for (const kind of kinds) {
      const sample = kind[round];
      if (sample !== undefined && chosen.length < limit) chosen.push(sample);
    }
  }
  return sortSamples(chosen);
}

/** Splits a data set into the images to fit on, to set thresholds on, and to test on. */
export function splitDataset(dataset: Dataset, options: SplitOptions = {}): Splits {
  const { validation = 'held-out', seed = 42, limit } = options;
  let { train, validation: held, test } = dataset;
  let validationSource: string;
  if (validation === 'same-as-test') {
    train = sortSamples([...train, ...held.filter((sample) => sample.label === 0)]);
    held = test;
    validationSource = 'the test images themselves';
  } else if (validation === 'from-test') {
    const parts = byKind(test).map((kind) => holdOut(kind, options.validationRatio ?? 0.5, seed));
    held = sortSamples(parts.flatMap((part) => part.heldOut));
    test = sortSamples(parts.flatMap((part) => part.kept));
    validationSource = 'images taken out of the test split';
  } else if (held.length > 0) {
    validationSource = "the data set's own validation images";
  } else {
    const { kept, heldOut } = holdOut(train, options.validationRatio ?? 0.1, seed);
    train = kept;
    held = heldOut;
    validationSource = 'good images held out of training';
  }
  if (held.length === 0) validationSource = 'no images: too few to hold any out';
  const limited = limitSamples(test, limit);
  return {
    train: limitSamples(train, limit),
    validation: validation === 'same-as-test' ? limited : limitSamples(held, limit),
    test: limited,
    validationSource,
  };
}
