import type { ScoreMap } from '../data/image.js';
import type { TileGrid } from './tiling.js';

/** How the map is smoothed along the seams between tiles. */
export interface SeamSmoothing {
  /** Standard deviation of the Gaussian, in pixels. */
  readonly sigma: number;
  /** Half the width of a strip, as a share of the tile's size on that axis. */
  readonly width: number;
}

/** The paper's values. */
export const DEFAULT_SEAM_SMOOTHING: SeamSmoothing = { sigma: 2, width: 0.1 };

/** Pixels from `start` up to, but without, `end`. */
export interface Interval {
  readonly start: number;
  readonly end: number;
}

/** The strips along the seams: the union of all full-width strips of rows and all full-height strips of columns. */
export interface SeamStrips {
  /** Strips of rows: disjoint, rising, inside the image. */
  readonly rows: readonly Interval[];
  /** Strips of columns: disjoint, rising, inside the image. */
  readonly columns: readonly Interval[];
}

/**
 * The strips around every place inside the image where a tile begins or ends, `⌊tile · width⌋` pixels to both sides. Where the
 * stride divides the tile these are the multiples of the stride, as in the reference implementation. A strip that reaches over an
 * edge of the image is cut there (the reference loses it), and a grid of one tile has none.
 *
 * @param width half the width of a strip as a share of the tile
 */
export function seamStrips(grid: TileGrid, width: number): SeamStrips {
  return {
    rows: axisStrips(grid.image.height, grid.tile.height, grid.stride.height, grid.rows, width),
    columns: axisStrips(grid.image.width, grid.tile.width, grid.stride.width, grid.columns, width),
  };
}

function axisStrips(length: number, tile: number, stride: number, count: number, width: number): Interval[] {
  const reach = Math.floor(tile * width);
  if (reach <= 0) return [];
  const seams = new Set<number>();
  for (let number = 0; number < count; number++) {
    seams.add(number * stride);
    seams.add(number * stride + tile);
  }
  const strips: { start: number; end: number }[] = [];
  for (const seam of [...seams].filter((at) => at > 0 && at < length).sort((a, b) => a - b)) {
    const start = Math.max(0, seam - reach);
    const end = Math.min(length, seam + reach);
    const last = strips.at(-1);
    if (last !== undefined && start <= last.end) last.end = end;
    else strips.push({ start, end });
  }
  return strips;
}

/**
 * Weights of a Gaussian, normalised to the sum 1, from −radius to radius with radius ⌊4σ + ½⌋ (17 weights for σ = 2). The blur on
 * the device uses the same.
 */
export function gaussianWeights(sigma: number): Float64Array {
  const radius = Math.floor(4 * sigma + 0.5);
  const weights = Float64Array.from({ length: 2 * radius + 1 }, (_, index) =>
    sigma > 0 ? Math.exp(-((index - radius) ** 2) / (2 * sigma * sigma)) : 1,
  );
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

/**
 * Blurs a merged map along the seams with a Gaussian, the image being mirrored at its edges without repeating the edge pixel.
 * Pixels outside the strips keep their bytes; only the strips and a rim around them are computed, in 64-bit floats.
 *
 * @param map scores at the grid's image size; not changed
 * @returns a new map
 */
export function smoothSeams(
  map: ScoreMap,
  grid: TileGrid,
  smoothing: SeamSmoothing = DEFAULT_SEAM_SMOOTHING,
): ScoreMap {
  if (map.height !== grid.image.height || map.width !== grid.image.width) {
    throw new RangeError(
      `A map of ${map.height}×${map.width} does not fit a grid for ${grid.image.height}×${grid.image.width}.`,
    );
  }
  const data = map.data.slice();
  const weights = gaussianWeights(smoothing.sigma);
  const { rows, columns } = seamStrips(grid, smoothing.width);
  const whole = { start: 0, end: map.width };
  for (const strip of rows) blurInto(data, map, strip, whole, weights);
  // The column strips only where no row strip has been.
  const between = gaps(rows, map.height);
  for (const columnStrip of columns) {
    for (const gap of between) blurInto(data, map, gap, columnStrip, weights);
  }
  return { height: map.height, width: map.width, data };
}

/** Blurs one rectangle of the map into `target`: along the rows with a rim above and below, then along the columns. */
function blurInto(target: Float32Array, map: ScoreMap, rows: Interval, columns: Interval, weights: Float64Array): void {
  const radius = (weights.length - 1) / 2;
  const width = columns.end - columns.start;
  // A ring of blurred rows, as many as the kernel is high.
  const ring = Array.from({ length: weights.length }, () => new Float64Array(width));
  const sum = new Float64Array(width);
  for (let y = rows.start - radius; y < rows.end + radius; y++) {
    const blurred = ring[modulo(y, ring.length)];
    if (blurred !== undefined) blurRow(blurred, map, mirrored(y, map.height), columns, weights);
    const centre = y - radius;
    if (centre < rows.start) continue;
    sum.fill(0);
    for (let tap = 0; tap < weights.length; tap++) {
      const source = ring[modulo(centre - radius + tap, ring.length)];
      const weight = weights[tap] ?? 0;
      if (source === undefined) continue;
      for (let x = 0; x < width; x++) sum[x] = (sum[x] ?? 0) + weight * (source[x] ?? 0);
    }
    target.set(sum, centre * map.width + columns.start);
  }
}

function blurRow(target: Float64Array, map: ScoreMap, y: number, columns: Interval, weights: Float64Array): void {
  const radius = (weights.length - 1) / 2;
  const start = y * map.width;
  for (let x = columns.start; x < columns.end; x++) {
    let sum = 0;
    const inside = x >= radius && x + radius < map.width;
    for (let tap = 0; tap < weights.length; tap++) {
      const column = inside ? x - radius + tap : mirrored(x - radius + tap, map.width);
      sum += (weights[tap] ?? 0) * (map.data[start + column] ?? 0);
    }
    target[x - columns.start] = sum;
  }
}

/** Index inside [0, length) after mirroring at both ends without repeating the end, as often as needed. */
function mirrored(index: number, length: number): number {
  if (length === 1) return 0;
  const period = 2 * (length - 1);
  const within = modulo(index, period);
  return within < length ? within : period - within;
}

function modulo(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor;
}

/** What the intervals leave free of [0, length). */
function gaps(intervals: readonly Interval[], length: number): Interval[] {
  const edges = [0, ...intervals.flatMap((interval) => [interval.start, interval.end]), length];
  const result: Interval[] = [];
  for (let index = 0; index < edges.length; index += 2) {
    const start = edges[index] ?? 0;
    const end = edges[index + 1] ?? length;
    if (start < end) result.push({ start, end });
  }
  return result;
}
