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

/** Half the width of a strip in pixels, for a tile's size on that axis. */
export function stripReach(tile: number, width: number): number {
  return Math.floor(tile * width);
}

function axisStrips(length: number, tile: number, stride: number, count: number, width: number): Interval[] {
  const reach = stripReach(tile, width);
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

/** A piece of a strip, in pixels of the map. */
export interface SeamRect {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
  /** A piece of a strip of columns, longer from top to bottom. */
  readonly upright: boolean;
}

/**
 * Cuts the strips into pieces of at most `across` pixels across the seam and `along` pixels along it: disjoint, from top to
 * bottom, together the strips. Strips of columns are cut only where no strip of rows has been.
 */
export function seamRects(grid: TileGrid, width: number, across: number, along: number): SeamRect[] {
  const { image } = grid;
  const strips = seamStrips(grid, width);
  const rects: SeamRect[] = [];
  const add = (rows: Interval, columns: Interval, upright: boolean): void => {
    for (const { start: top, end: bottom } of cut(rows, upright ? along : across)) {
      for (const { start: left, end: right } of cut(columns, upright ? across : along)) {
        rects.push({ top, left, height: bottom - top, width: right - left, upright });
      }
    }
  };
  for (const strip of strips.rows) add(strip, { start: 0, end: image.width }, false);
  for (const gap of gaps(strips.rows, image.height)) for (const strip of strips.columns) add(gap, strip, true);
  return rects.sort((a, b) => a.top - b.top || a.left - b.left);
}

function cut({ start, end }: Interval, length: number): Interval[] {
  return Array.from({ length: Math.ceil((end - start) / length) }, (_, index) => ({
    start: start + index * length,
    end: Math.min(end, start + (index + 1) * length),
  }));
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

/** Index inside [0, length) after mirroring at both ends without repeating the end, as often as needed. */
export function mirrored(index: number, length: number): number {
  if (length === 1) return 0;
  const period = 2 * (length - 1);
  const within = ((index % period) + period) % period;
  return within < length ? within : period - within;
}
