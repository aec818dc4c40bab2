/**
 * Receives one level of a ranking: a score with the number of good and of defective items that have it. `regionShare` is the
 * sum over the defective pixels of the level of 1 / (area of their region); 0 where there are no regions.
 */
export type LevelVisitor = (score: number, good: number, defective: number, regionShare: number) => void;

/**
 * Scores with their truth, reduced to what every ranking metric needs: how many good and how many defective items stand at each
 * distinct score. Items are images or pixels.
 */
export interface Ranking {
  /** Good items. */
  readonly good: number;
  /** Defective items. */
  readonly defective: number;
  /** Connected defect regions; 0 for images. */
  readonly regions: number;
  /** Items whose score is NaN. They have no rank: every metric of such a ranking is undefined. */
  readonly unranked: number;
  /** Calls `visitor` once a level, from the highest score to the lowest. */
  visit(visitor: LevelVisitor): void;
}

/**
 * Ranks images by score. Equal scores (also 0 and -0) form one level, infinities are ranked at the ends, NaN is counted in
 * `unranked`.
 *
 * @param scores one score an image, higher is more anomalous
 * @param labels one label an image: 0 good, anything else defective
 * @throws RangeError if the lengths differ
 */
export function rankScores(scores: ArrayLike<number>, labels: ArrayLike<number>): Ranking {
  if (scores.length !== labels.length) {
    throw new RangeError(`${scores.length} scores for ${labels.length} labels: every image needs one of each.`);
  }
  const order: number[] = [];
  for (let index = 0; index < scores.length; index++) {
    if (!Number.isNaN(scores[index] ?? NaN)) order.push(index);
  }
  order.sort((first, second) => {
    const a = scores[first] ?? 0;
    const b = scores[second] ?? 0;
    return a < b ? 1 : a > b ? -1 : 0;
  });

  const levels: { score: number; good: number; defective: number }[] = [];
  let defective = 0;
  for (const index of order) {
    const score = scores[index] ?? 0;
    let level = levels.at(-1);
    if (level?.score !== score) {
      level = { score, good: 0, defective: 0 };
      levels.push(level);
    }
    if (labels[index] === 0) level.good++;
    else {
      level.defective++;
      defective++;
    }
  }
  return {
    good: order.length - defective,
    defective,
    regions: 0,
    unranked: scores.length - order.length,
    visit(visitor) {
      for (const level of levels) visitor(level.score, level.good, level.defective, 0);
    },
  };
}

/**
 * The lowest score such that at least the share `quantile` of the good items stands at or below it: an order statistic, so
 * always a score that occurred. Undefined without good items or with unranked ones.
 */
export function quantileOfGood(ranking: Ranking, quantile: number): number | undefined {
  if (ranking.good === 0 || ranking.unranked > 0) return undefined;
  // Rank from above of the wanted item: with n good items, ceil(q·n) of them stand at or below it.
  const fromBelow = Math.max(1, Math.ceil(quantile * ranking.good));
  const fromAbove = ranking.good - fromBelow + 1;
  let seen = 0;
  let result: number | undefined;
  ranking.visit((score, good) => {
    if (result !== undefined || good === 0) return;
    seen += good;
    if (seen >= fromAbove) result = score;
  });
  return result;
}

/**
 * The same ranking with neighbouring levels that hold good items only joined into one, under the lowest score among them. Areas,
 * curves and the best F1 come out the same (nothing but straight lines of the curves lies inside a joined level), and a walk over
 * the pixels of a test split becomes as short as its defects are few. Counts at a threshold need the full ranking.
 */
export function condensed(ranking: Ranking): Ranking {
  const scores: number[] = [];
  const goods: number[] = [];
  const defectives: number[] = [];
  const shares: number[] = [];
  ranking.visit((score, good, defective, regionShare) => {
    const last = scores.length - 1;
    if (defective === 0 && defectives[last] === 0) {
      scores[last] = score;
      goods[last] = (goods[last] ?? 0) + good;
      return;
    }
    scores.push(score);
    goods.push(good);
    defectives.push(defective);
    shares.push(regionShare);
  });
  return {
    good: ranking.good,
    defective: ranking.defective,
    regions: ranking.regions,
    unranked: ranking.unranked,
    visit(visitor) {
      for (let level = 0; level < scores.length; level++) {
        visitor(scores[level] ?? 0, goods[level] ?? 0, defectives[level] ?? 0, shares[level] ?? 0);
      }
    },
  };
}
