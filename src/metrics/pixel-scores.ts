import type { Mask, ScoreMap } from '../data/image.js';
import { TilesightError } from '../engine/errors.js';
import { BlockCounts } from './block-counts.js';
import { connectedComponents, RUN_FIELDS } from './components.js';

import { LARGEST_SORTED } from './key-index.js';
import { floatOfOrderedKey, orderedKeyOfBits } from './ordered-float.js';
import type { LevelVisitor, Ranking } from './ranking.js';
import { WeightedCounts } from './weighted-counts.js';

/** How much `PixelScores` may keep. */
export interface PixelScoresOptions {
  /** Blocks of 32 neighbouring float values of good pixels; less than 2^21. The default takes about 76 MiB. */
  readonly blocks?: number;
  /** Distinct values of defective pixels; less than 2^21. The default takes at most 32 MiB. */
  readonly defectLevels?: number;
}

const DEFAULT_LIMIT = 2 ** 20;
const LARGEST_LIMIT = LARGEST_SORTED - 1;

/**
 * The pixels of any number of score maps with their truth, ranked in bounded memory: feed it one map after the other, then hand it
 * to the metrics.
 *
 * It counts how many good and defective pixels have each score, keyed by all 32 bits of the float, so that every metric is
 * **exact as long as the distinct values fit** (by default 33 million neighbouring values of good pixels, four powers of two
 * filled without a gap, and a million distinct values of defective pixels). When they no longer fit, the lowest bit of all keys is
 * dropped, again and again until they do. `droppedBits` says how often: scores of one level then differ by less than a relative
 * 2^(droppedBits − 23). The number of levels of a set of values does not depend on the order in which they came, so neither does
 * the result. `tieBounds` gives the largest error that AUROC and AUPRO can have from it, which is small even with many dropped bits.
 *
 * Each connected region of a mask (8-connectivity, within one image) counts as one region for AUPRO, its pixels weighing
 * 1 / area. NaN pixels have no rank: they are counted in `unranked`, which makes every metric undefined.
 */
export class PixelScores implements Ranking {
  #goodCounts = new BlockCounts();
  #defectCounts = new WeightedCounts();
  #blockLimit: number;
  #levelLimit: number;
  #good = 0;
  #defective = 0;
  #regions = 0;
  #unranked = 0;
  #droppedBits = 0;

  constructor(options: PixelScoresOptions = {}) {
    this.#blockLimit = checkedLimit('blocks', options.blocks);
    this.#levelLimit = checkedLimit('defectLevels', options.defectLevels);
  }

  get good(): number {
    return this.#good;
  }

  get defective(): number {
    return this.#defective;
  }

  get regions(): number {
    return this.#regions;
  }

  get unranked(): number {
    return this.#unranked;
  }

  /** Low bits of the float scores that no longer count; 0 means that all metrics are exact. */
  get droppedBits(): number {
    this.#settle();
    return this.#droppedBits;
  }

  /**
   * Adds the pixels of one map.
   *
   * @param map scores at any size
   * @param mask truth at the same size; undefined for a good image. An anomalous image without a mask must not be added.
   * @throws TilesightError (input) if the mask has another size than the map
   */
  add(map: ScoreMap, mask?: Mask): void {
    if (map.data.length !== map.height * map.width) {
      throw new RangeError(`A map of ${map.height}×${map.width} pixels has ${map.data.length} scores.`);
    }
    const bits = new Uint32Array(map.data.buffer, map.data.byteOffset, map.data.length);
    if (mask === undefined) {
      this.#addGood(bits, 0, bits.length);
      return;
    }
    if (mask.height !== map.height || mask.width !== map.width) {
      throw new TilesightError(
        'input',
        `A mask of ${mask.height}×${mask.width} pixels does not fit a score map of ${map.height}×${map.width}; resize the mask to the map first.`,
      );
    }
    const { runs, runCount, areas, count } = connectedComponents(mask);
    this.#regions += count;
    let cursor = 0;
    for (let run = 0; run < runCount; run++) {
      const at = run * RUN_FIELDS;
      const row = (runs[at] ?? 0) * map.width;
      const first = row + (runs[at + 1] ?? 0);
      const end = row + (runs[at + 2] ?? 0);
      this.#addGood(bits, cursor, first);
      this.#addDefective(bits, first, end, 1 / (areas[runs[at + 3] ?? 0] ?? 1));
      cursor = end;
    }
    this.#addGood(bits, cursor, bits.length);
  }

  visit(visitor: LevelVisitor): void {
    this.#settle();
    const defects = this.#defectCounts.falling();
    const levels = defects.keys.length;
    const scale = 2 ** this.#droppedBits;
    const scoreOf = (key: number) => floatOfOrderedKey(key * scale);
    let next = 0;
    const visitDefectsAbove = (key: number) => {
      for (; next < levels && (defects.keys[next] ?? 0) > key; next++) {
        visitor(scoreOf(defects.keys[next] ?? 0), 0, defects.counts[next] ?? 0, defects.weights[next] ?? 0);
      }
    };
    this.#goodCounts.visitFalling((key, good) => {
      visitDefectsAbove(key);
      if (next < levels && defects.keys[next] === key) {
        visitor(scoreOf(key), good, defects.counts[next] ?? 0, defects.weights[next] ?? 0);
        next++;
      } else visitor(scoreOf(key), good, 0, 0);
    });
    visitDefectsAbove(-1);
  }

  #addGood(bits: Uint32Array, start: number, end: number): void {
    for (let index = start; index < end; index++) {
      const key = orderedKeyOfBits(bits[index] ?? 0);
      if (key < 0) {
        this.#unranked++;
        continue;
      }
      this.#good++;
      if (this.#goodCounts.add(key >>> this.#droppedBits)) this.#settle();
    }
  }

  #addDefective(bits: Uint32Array, start: number, end: number, share: number): void {
    for (let index = start; index < end; index++) {
      const key = orderedKeyOfBits(bits[index] ?? 0);
      if (key < 0) {
        this.#unranked++;
        continue;
      }
      this.#defective++;
      this.#defectCounts.add(key >>> this.#droppedBits, 1, share);
      if (this.#defectCounts.keys > this.#levelLimit) this.#settle();
    }
  }

  /** Counts what is pending, then drops bits until both tables are within their limits. */
  #settle(): void {
    this.#goodCounts.merge();
    while (this.#goodCounts.blocks > this.#blockLimit || this.#defectCounts.keys > this.#levelLimit) {
      this.#goodCounts = this.#goodCounts.coarsened();
      this.#defectCounts = this.#defectCounts.coarsened();
      this.#droppedBits++;
    }
  }
}

function checkedLimit(name: string, value: number = DEFAULT_LIMIT): number {
  if (!Number.isInteger(value) || value < 1 || value > LARGEST_LIMIT) {
    throw new RangeError(`${name} is ${value}; it must be a whole number from 1 to ${LARGEST_LIMIT}.`);
  }
  return value;
}
