import type { Ranking } from './ranking.js';

/** A curve for a plot: three arrays of equal length, along falling thresholds. */
export interface Curve {
  readonly x: readonly number[];
  readonly y: readonly number[];
  /** Threshold that gives the point; Infinity at the start, where nothing is called defective. */
  readonly threshold: readonly number[];
}

/** How finely curves are kept for plots: steps an axis. A curve has at most a small multiple of this many points. */
export const DEFAULT_CURVE_STEPS = 400;

/**
 * ROC curve: false positive rate (x) against true positive rate (y), from (0, 0) to (1, 1), thinned for plots. Areas are computed
 * from the ranking and not from the curve.
 *
 * @returns undefined unless there are both good and defective items and every score is a number
 */
export function rocCurve(ranking: Ranking, steps = DEFAULT_CURVE_STEPS): Curve | undefined {
  if (!isComplete(ranking)) return undefined;
  const curve = thinnedCurve(steps, 0, 0);
  let falsePositives = 0;
  let truePositives = 0;
  ranking.visit((score, good, defective) => {
    falsePositives += good;
    truePositives += defective;
    curve.add(falsePositives / ranking.good, truePositives / ranking.defective, score);
  });
  return curve.finish();
}

/**
 * Precision-recall curve: recall (x) against precision (y), from (0, 1), thinned for plots.
 *
 * @returns undefined unless there are both good and defective items and every score is a number
 */
export function precisionRecallCurve(ranking: Ranking, steps = DEFAULT_CURVE_STEPS): Curve | undefined {
  if (!isComplete(ranking)) return undefined;
  const curve = thinnedCurve(steps, 0, 1);
  let alarms = 0;
  let truePositives = 0;
  ranking.visit((score, good, defective) => {
    alarms += good + defective;
    truePositives += defective;
    curve.add(truePositives / ranking.defective, truePositives / alarms, score);
  });
  return curve.finish();
}

/**
 * PRO curve: false positive rate of the pixels (x) against per-region overlap (y), from (0, 0) to (1, 1), thinned for plots.
 *
 * @returns undefined without a region, without good pixels or with a NaN among the scores
 */
export function proCurve(ranking: Ranking, steps = DEFAULT_CURVE_STEPS): Curve | undefined {
  if (!isComplete(ranking) || ranking.regions === 0) return undefined;
  const curve = thinnedCurve(steps, 0, 0);
  let falsePositives = 0;
  let share = 0;
  ranking.visit((score, good, _defective, regionShare) => {
    falsePositives += good;
    share += regionShare;
    curve.add(falsePositives / ranking.good, Math.min(1, share / ranking.regions), score);
  });
  return curve.finish();
}

/**
 * Keeps a point when it is one step away from the last kept one on either axis, together with its predecessor, so that a long
 * straight run keeps both its ends; the first and the last point are always kept. A corner is off by less than one step.
 */
function thinnedCurve(steps: number, startX: number, startY: number) {
  const x = [startX];
  const y = [startY];
  const threshold = [Infinity];
  let keptX = startX;
  let keptY = startY;
  let pending: readonly [number, number, number] | undefined;

  const keep = (point: readonly [number, number, number]) => {
    x.push(point[0]);
    y.push(point[1]);
    threshold.push(point[2]);
    keptX = point[0];
    keptY = point[1];
  };
  const far = (pointX: number, pointY: number) =>
    Math.abs(pointX - keptX) * steps >= 1 || Math.abs(pointY - keptY) * steps >= 1;

  return {
    add(pointX: number, pointY: number, score: number): void {
      if (far(pointX, pointY)) {
        if (pending !== undefined) keep(pending);
        if (far(pointX, pointY)) {
          keep([pointX, pointY, score]);
          pending = undefined;
          return;
        }
      }
      pending = [pointX, pointY, score];
    },
    finish(): Curve {
      if (pending !== undefined) keep(pending);
      return { x, y, threshold };
    },
  };
}

function isComplete(ranking: Ranking): boolean {
  return ranking.unranked === 0 && ranking.good > 0 && ranking.defective > 0;
}
