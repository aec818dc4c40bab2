/** Metrics straight from their definitions, without sorting, tables or streaming: slow, and independent of `src/metrics`. */

export interface LabelledMap {
  readonly height: number;
  readonly width: number;
  readonly scores: readonly number[];
  readonly truth: readonly (0 | 1)[];
}

/** Share of (defective, good) pairs in the right order, ties one half; over all pairs. */
export function naiveAuroc(scores: readonly number[], labels: readonly number[]): number {
  let sum = 0;
  let pairs = 0;
  scores.forEach((positive, i) => {
    if (labels[i] !== 1) return;
    scores.forEach((negative, j) => {
      if (labels[j] !== 0) return;
      pairs++;
      if (positive > negative) sum += 1;
      else if (positive === negative) sum += 0.5;
    });
  });
  return sum / pairs;
}

/** F1 at every score as threshold; the best, and the lowest threshold that has it. */
export function naiveBestF1(scores: readonly number[], labels: readonly number[]): { f1: number; threshold: number } {
  let best = { f1: -1, threshold: 0 };
  for (const threshold of [...new Set(scores)].sort((a, b) => a - b)) {
    const f1 = naiveF1(scores, labels, threshold);
    if (f1 > best.f1 + 1e-12) best = { f1, threshold };
  }
  return best;
}

export function naiveF1(scores: readonly number[], labels: readonly number[], threshold: number): number {
  const called = scores.map((score) => score >= threshold);
  const tp = called.filter((is, i) => is && labels[i] === 1).length;
  const precision = tp / Math.max(1, called.filter(Boolean).length);
  const recall = tp / labels.filter((label) => label === 1).length;
  return precision + recall === 0 ? 0 : (2 * precision * recall) / (precision + recall);
}

/** Trapezoid under (recall, precision) at every distinct score, from (0, 1). */
export function naiveAupr(scores: readonly number[], labels: readonly number[]): number {
  const positives = labels.filter((label) => label === 1).length;
  const points = [...new Set(scores)]
    .sort((a, b) => b - a)
    .map((threshold) => {
      const called = scores.map((score) => score >= threshold);
      const tp = called.filter((is, i) => is && labels[i] === 1).length;
      return { x: tp / positives, y: tp / called.filter(Boolean).length };
    });
  return trapezoid([{ x: 0, y: 1 }, ...points]);
}

/** Regions by flood fill over the eight neighbours; region number a pixel, -1 outside. */
export function floodFill(
  height: number,
  width: number,
  truth: readonly number[],
): { labels: number[]; count: number } {
  const labels = truth.map(() => -1);
  let count = 0;
  for (let start = 0; start < truth.length; start++) {
    if (truth[start] === 0 || labels[start] !== -1) continue;
    const stack = [start];
    labels[start] = count;
    while (stack.length > 0) {
      const pixel = stack.pop() ?? 0;
      const row = Math.floor(pixel / width);
      const column = pixel % width;
      for (let y = Math.max(0, row - 1); y <= Math.min(height - 1, row + 1); y++) {
        for (let x = Math.max(0, column - 1); x <= Math.min(width - 1, column + 1); x++) {
          const other = y * width + x;
          if (truth[other] === 0 || labels[other] !== -1) continue;
          labels[other] = count;
          stack.push(other);
        }
      }
    }
    count++;
  }
  return { labels, count };
}

/** Mean over the regions of all maps of the share of their pixels that reach the threshold. */
export function naivePro(maps: readonly LabelledMap[], threshold: number): number {
  const recalls = maps.flatMap((map) => {
    const { labels, count } = floodFill(map.height, map.width, map.truth);
    return Array.from({ length: count }, (_, region) => {
      const inside = map.scores.filter((_score, pixel) => labels[pixel] === region);
      return inside.filter((score) => score >= threshold).length / inside.length;
    });
  });
  return recalls.reduce((sum, recall) => sum + recall, 0) / recalls.length;
}

/** Area under (false positive rate, PRO) over every distinct score, cut at the limit and divided by it. */
export function naiveAupro(maps: readonly LabelledMap[], limit: number): number {
  const good = maps.flatMap((map) => map.scores.filter((_, pixel) => map.truth[pixel] === 0));
  const points = [{ x: 0, y: 0 }];
  for (const threshold of [...new Set(maps.flatMap((map) => map.scores))].sort((a, b) => b - a)) {
    points.push({ x: good.filter((score) => score >= threshold).length / good.length, y: naivePro(maps, threshold) });
  }
  const cut = points.filter((point) => point.x <= limit);
  const last = cut.at(-1);
  const next = points[cut.length];
  if (last !== undefined && next !== undefined && last.x < limit) {
    cut.push({ x: limit, y: last.y + ((next.y - last.y) * (limit - last.x)) / (next.x - last.x) });
  }
  return trapezoid(cut) / limit;
}

function trapezoid(points: readonly { x: number; y: number }[]): number {
  let area = 0;
  for (let i = 1; i < points.length; i++) {
    const a = points[i - 1];
    const b = points[i];
    if (a !== undefined && b !== undefined) area += ((b.x - a.x) * (a.y + b.y)) / 2;
  }
  return area;
}
