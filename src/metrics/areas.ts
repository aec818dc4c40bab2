import type { Ranking } from './ranking.js';

/** The false positive rate up to which AUPRO integrates, as MVTec AD and anomalib do. */
export const DEFAULT_FALSE_POSITIVE_LIMIT = 0.3;

/**
 * Area under the ROC curve: the probability that a defective item scores higher than a good one, ties counting one half. Exact:
 * the trapezoid over the curve with one point a distinct score.
 *
 * @returns a value in [0, 1]; undefined unless there are both good and defective items and every score is a number
 */
export function areaUnderRoc(ranking: Ranking): number | undefined {
  if (!hasBothClasses(ranking)) return undefined;
  let above = 0;
  let area = 0;
  ranking.visit((_score, good, defective) => {
    area += good * (above + defective / 2);
    above += defective;
  });
  return area / (ranking.good * ranking.defective);
}

/**
 * Area under the precision-recall curve by the trapezoid over all distinct scores, starting at recall 0 with precision 1 (the
 * convention of torchmetrics and anomalib; it is not the average precision).
 *
 * @returns a value in [0, 1]; undefined unless there are both good and defective items and every score is a number
 */
export function areaUnderPrecisionRecall(ranking: Ranking): number | undefined {
  if (!hasBothClasses(ranking)) return undefined;
  let hits = 0;
  let alarms = 0;
  let precision = 1;
  let area = 0;
  ranking.visit((_score, good, defective) => {
    hits += defective;
    alarms += good + defective;
    const next = hits / alarms;
    area += (defective * (precision + next)) / 2;
    precision = next;
  });
  return area / ranking.defective;
}

/**
 * AUPRO: area under the curve of per-region overlap (mean recall over the connected defect regions, so that each counts the same
 * whatever its size) over the false positive rate of the pixels, from 0 to `limit`, divided by `limit`. Equal scores are one
 * point; the curve starts at (0, 0) and is interpolated linearly at the limit.
 *
 * @param limit false positive rate at which to stop, in (0, 1]
 * @returns a value in [0, 1]; undefined without a region, without good pixels or with a NaN among the scores
 */
export function areaUnderPro(ranking: Ranking, limit = DEFAULT_FALSE_POSITIVE_LIMIT): number | undefined {
  if (!(limit > 0 && limit <= 1)) throw new RangeError(`The false positive limit is ${limit}; it must be in (0, 1].`);
  if (ranking.regions === 0 || !hasBothClasses(ranking)) return undefined;
  let falsePositives = 0;
  let rate = 0;
  let share = 0;
  let area = 0;
  ranking.visit((_score, good, _defective, regionShare) => {
    if (rate >= limit) return;
    falsePositives += good;
    const nextRate = falsePositives / ranking.good;
    const nextShare = share + regionShare;
    if (nextRate <= limit) area += ((nextRate - rate) * (share + nextShare)) / 2;
    else {
      const atLimit = share + ((nextShare - share) * (limit - rate)) / (nextRate - rate);
      area += ((limit - rate) * (share + atLimit)) / 2;
    }
    rate = nextRate;
    share = nextShare;
  });
  return area / (limit * ranking.regions);
}

/** By how much a metric of a ranking may be off where one level holds several nearly equal scores. */
export interface TieBounds {
  readonly areaUnderRoc: number;
  readonly areaUnderPro: number;
}

/**
 * The largest error that AUROC and AUPRO can have if each level of the ranking stands for scores of which some in truth differ
 * (see `PixelScores`). Inside a level the true curve runs monotonically through the box between the level's two ends, so that
 * the trapezoid is off by at most half the box; at the limit of AUPRO by the whole box.
 */
export function tieBounds(ranking: Ranking, limit = DEFAULT_FALSE_POSITIVE_LIMIT): TieBounds {
  let boxes = 0;
  let proBoxes = 0;
  let rate = 0;
  ranking.visit((_score, good, defective, regionShare) => {
    boxes += good * defective;
    if (rate < limit) {
      const step = good / ranking.good;
      proBoxes += step * regionShare * (rate + step <= limit ? 0.5 : 1);
      rate += step;
    }
  });
  const pairs = ranking.good * ranking.defective;
  return {
    areaUnderRoc: pairs === 0 ? 0 : boxes / 2 / pairs,
    areaUnderPro: ranking.regions === 0 ? 0 : proBoxes / (limit * ranking.regions),
  };
}

function hasBothClasses(ranking: Ranking): boolean {
  return ranking.unranked === 0 && ranking.good > 0 && ranking.defective > 0;
}
