import * as v from 'valibot';
import type { Mask } from '../data/image.js';
import { TilesightError } from '../engine/errors.js';
import { PixelScores } from '../metrics/pixel-scores.js';
import { rankScores } from '../metrics/ranking.js';
import type { ValidationRule } from './configuration.js';
import { RangeOfScores, type ScoreStatistics } from './normalization.js';
import type { TileResult } from './predict.js';
import { largest, type ImageScores } from './scores.js';
import { fitThreshold, type Threshold } from './thresholds.js';
import type { ScoreMap } from '../data/image.js';
import { tileOrigin, type TileGrid } from './tiling.js';

const threshold = v.object({
  value: v.number(),
  rule: v.picklist(['f1-adaptive', 'quantile', 'lowest-defective', 'given']),
  quantile: v.optional(v.number()),
  good: v.number(),
  defective: v.number(),
});
const fitted = v.object({ minimum: v.number(), maximum: v.number(), threshold });
const plain = v.object({ minimum: v.number(), maximum: v.number(), threshold: v.number() });
const schema = v.object({
  source: v.string(),
  maximum: fitted,
  mean: fitted,
  pixel: fitted,
  tiles: v.optional(v.array(v.object({ image: plain, pixel: plain }))),
});

/** Range and threshold of one kind of score. */
export interface FittedStatistics {
  readonly minimum: number;
  readonly maximum: number;
  readonly threshold: Threshold;
}

/** What the validation images say about scores: `stats.json`. */
export interface EnsembleStatistics {
  /** Which images set the thresholds, in words. */
  readonly source: string;
  /** Of the largest value of the merged map, after the stages before it. */
  readonly maximum: FittedStatistics;
  /** Of the mean of the tiles' scores. */
  readonly mean: FittedStatistics;
  /** Of the merged map's values. */
  readonly pixel: FittedStatistics;
  /** Of each position's own scores, where a stage works on tiles. */
  readonly tiles?: readonly { readonly image: ScoreStatistics; readonly pixel: ScoreStatistics }[] | undefined;
}

/** Reads `stats.json`. */
export function parseStatistics(value: unknown, where: string): EnsembleStatistics {
  const parsed = v.safeParse(schema, value);
  if (parsed.success) return parsed.output;
  throw new TilesightError(
    'input',
    `${where} is damaged (${parsed.issues[0].message}): restore it from a copy, or train into a new folder`,
  );
}

/** Range and threshold as normalisation wants them. */
export function forNormalization({ minimum, maximum, threshold: { value } }: FittedStatistics): ScoreStatistics {
  return { minimum, maximum, threshold: value };
}

/** Collects the statistics of merged maps over the validation images. */
export class StatisticsCollector {
  readonly #pixels = new PixelScores();
  readonly #range = new RangeOfScores();
  readonly #scores: ImageScores[] = [];
  readonly #labels: number[] = [];

  /** `mask` is undefined for good images and for defective ones without ground truth, whose pixels do not count. */
  add(map: ScoreMap, scores: ImageScores, label: 0 | 1, mask: Mask | undefined): void {
    this.#scores.push(scores);
    this.#labels.push(label);
    this.#range.add(map.data);
    if (label === 0 || mask) this.#pixels.add(map, mask);
  }

  finish(rule: ValidationRule, source: string): EnsembleStatistics {
    const of = (which: keyof ImageScores): FittedStatistics => {
      const values = this.#scores.map((scores) => scores[which]);
      const range = new RangeOfScores();
      range.add(values);
      const fit = fitThreshold(rankScores(values, this.#labels), rule.imageQuantile, 'image');
      return withRoom(range.statistics(fit.value), fit);
    };
    const pixel = fitThreshold(this.#pixels, rule.pixelQuantile, 'pixel');
    return {
      source,
      maximum: of('maximum'),
      mean: of('mean'),
      pixel: withRoom(this.#range.statistics(pixel.value), pixel),
    };
  }
}

/**
 * Without defects the largest score is that of a good image, and every defect would normalise to 1: the range is then taken
 * as far above the threshold as it goes below it.
 */
function withRoom({ minimum, maximum }: ScoreStatistics, threshold: Threshold): FittedStatistics {
  const mirrored = 2 * threshold.value - minimum;
  return { minimum, maximum: threshold.defective > 0 ? maximum : Math.max(maximum, mirrored), threshold };
}

/**
 * Collects the statistics of each position's own results. A tile counts as defective when its part of the mask has a
 * defect, not when its image has one somewhere. A tile's pixel threshold is that of the peaks of its maps.
 */
export class TileStatisticsCollector {
  readonly #positions: { scores: number[]; peaks: number[]; labels: number[]; range: RangeOfScores }[];

  constructor(private readonly grid: TileGrid) {
    this.#positions = Array.from({ length: grid.positions }, () => ({
      scores: [],
      peaks: [],
      labels: [],
      range: new RangeOfScores(),
    }));
  }

  add({ position, map, score }: TileResult, mask: Mask | undefined): void {
    const entry = this.#positions[position];
    if (!entry) return;
    entry.scores.push(score);
    entry.peaks.push(largest(map));
    entry.labels.push(mask && hasDefect(mask, this.grid, position) ? 1 : 0);
    entry.range.add(map);
  }

  finish(rule: ValidationRule): { image: ScoreStatistics; pixel: ScoreStatistics }[] {
    return this.#positions.map(({ scores, peaks, labels, range }) => {
      const ofScores = new RangeOfScores();
      ofScores.add(scores);
      const image = fitThreshold(rankScores(scores, labels), rule.imageQuantile, 'tile').value;
      const pixel = fitThreshold(rankScores(peaks, labels), rule.imageQuantile, 'tile').value;
      return { image: ofScores.statistics(image), pixel: range.statistics(pixel) };
    });
  }
}

function hasDefect(mask: Mask, grid: TileGrid, position: number): boolean {
  const { top, left } = tileOrigin(grid, position);
  const bottom = Math.min(mask.height, top + grid.tile.height);
  const right = Math.min(mask.width, left + grid.tile.width);
  for (let row = top; row < bottom; row++) {
    if (mask.data.subarray(row * mask.width + left, row * mask.width + right).some((value) => value > 0)) return true;
  }
  return false;
}
