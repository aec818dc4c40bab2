import type { Mask } from '../data/image.js';

/** Connected regions of a mask (8-connectivity), as horizontal runs; memory grows with the runs and not with the image. */
export interface Components {
  /** Number of regions; they are numbered in the order in which their topmost, then leftmost pixel appears. */
  readonly count: number;
  /** Pixels of each region. */
  readonly areas: Float64Array;
  /** Number of runs. */
  readonly runCount: number;
  /** Four numbers a run, row-major order: row, first column, column after the last, region. */
  readonly runs: Int32Array;
}

/** Numbers of `Components.runs` that one run takes. */
export const RUN_FIELDS = 4;

/**
 * Finds the connected regions of the non-zero pixels, diagonal neighbours included (8-connectivity, as OpenCV and the MVTec AD
 * evaluation). Runs of each row are joined with the touching runs of the row above by union-find (union to the lower number, path
 * halving), so that the work is linear in the pixels.
 *
 * @throws RangeError if `data` does not hold height · width bytes
 */
export function connectedComponents(mask: Mask): Components {
  const { height, width, data } = mask;
  if (data.length !== height * width) {
    throw new RangeError(`A mask of ${height}×${width} pixels needs ${height * width} bytes and has ${data.length}.`);
  }
  let runs = new Int32Array(RUN_FIELDS * 64);
  let runCount = 0;
  const parent: number[] = [];
  const rootOf = (run: number): number => {
    let node = run;
    while (true) {
      const up = parent[node] ?? node;
      if (up === node) return node;
      const over = parent[up] ?? up;
      parent[node] = over;
      node = over;
    }
  };

  let aboveStart = 0;
  let aboveEnd = 0;
  for (let row = 0; row < height; row++) {
    const rowStart = runCount;
    const offset = row * width;
    let above = aboveStart;
    for (let column = 0; column < width; column++) {
      if (data[offset + column] === 0) continue;
      const first = column;
      while (column < width && data[offset + column] !== 0) column++;
      if ((runCount + 1) * RUN_FIELDS > runs.length) {
        const larger = new Int32Array(runs.length * 2);
        larger.set(runs);
        runs = larger;
      }
      const run = runCount++;
      runs.set([row, first, column, run], run * RUN_FIELDS);
      parent.push(run);
      // Runs above that end left of this one's diagonal neighbour cannot touch this run or a later one.
      while (above < aboveEnd && (runs[above * RUN_FIELDS + 2] ?? 0) < first) above++;
      for (let other = above; other < aboveEnd && (runs[other * RUN_FIELDS + 1] ?? 0) <= column; other++) {
        const a = rootOf(run);
        const b = rootOf(other);
        if (a !== b) parent[Math.max(a, b)] = Math.min(a, b);
      }
    }
    aboveStart = rowStart;
    aboveEnd = runCount;
  }

  const numbers = new Map<number, number>();
  const areas: number[] = [];
  for (let run = 0; run < runCount; run++) {
    const root = rootOf(run);
    let region = numbers.get(root);
    if (region === undefined) {
      region = areas.length;
      numbers.set(root, region);
      areas.push(0);
    }
    const at = run * RUN_FIELDS;
    areas[region] = (areas[region] ?? 0) + (runs[at + 2] ?? 0) - (runs[at + 1] ?? 0);
    runs[at + 3] = region;
  }
  return { count: areas.length, areas: Float64Array.from(areas), runCount, runs: runs.slice(0, runCount * RUN_FIELDS) };
}
