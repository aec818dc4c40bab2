import type { ScoreMap } from '../data/image.js';
import { rowAndColumn, type TileGrid } from './tiling.js';

/**
 * How tiles that overlap are weighted: `mean` counts all the same (the paper's rule); `smooth` lets a tile's weight fall towards its
 * edges as the square of a half sine on each axis (a Hann window), so that no tile's edge shows in the merged map.
 */
export type MergeWindow = 'mean' | 'smooth';

/** Finished rows of a merged map. */
export interface MapRows {
  /** First row, in pixels of the image. */
  readonly top: number;
  readonly height: number;
  readonly width: number;
  /** `height · width` scores, row-major. */
  readonly data: Float32Array;
}

/** A stripe of the map whose rows are covered by the same rows of tiles; it is finished when the last of these has come. */
interface Band {
  readonly top: number;
  readonly bottom: number;
  /** Rows of tiles that cover the band. */
  readonly rows: number;
  /** Tiles that cover the band and have not come yet. */
  missing: number;
  sums: Float32Array | undefined;
}

/**
 * Merges the tile maps of one image, which come one at a time, and hands out stripes of rows as soon as no tile is missing for
 * them. Holds only the stripes that are begun and not finished: with tiles in row-major order about one row of tiles, whatever the
 * height of the image. Padding is dropped.
 *
 * Sums are 32-bit floats in the order in which the tiles come, so that the same order gives the same bytes.
 */
export class BandMerger {
  readonly #bands: Band[];
  readonly #seen: Uint8Array;
  readonly #rowWeights: AxisWeights;
  readonly #columnWeights: AxisWeights;
  /** Whether every column of the image belongs to one tile, with weight 1. */
  readonly #single: boolean;

  /**
   * @param onRows receives finished rows, in the order in which they are finished; the array is the receiver's to keep
   * @param storage gives the zeroed memory of a stripe; made new when left out
   */
  constructor(
    private readonly grid: TileGrid,
    window: MergeWindow,
    private readonly onRows: (rows: MapRows) => void,
    private readonly storage: (top: number, bottom: number) => Float32Array = (top, bottom) =>
      new Float32Array((bottom - top) * grid.image.width),
  ) {
    this.#bands = bandsOf(grid);
    this.#seen = new Uint8Array(grid.positions);
    this.#rowWeights = axisWeights(grid.image.height, grid.tile.height, grid.stride.height, grid.rows, window);
    this.#columnWeights = axisWeights(grid.image.width, grid.tile.width, grid.stride.width, grid.columns, window);
    this.#single = this.#columnWeights.window === undefined && this.#columnWeights.totals.every((total) => total === 1);
  }

  /** Tiles that have not come yet. */
  get missing(): number {
    return this.#seen.reduce((count, seen) => count + (1 - seen), 0);
  }

  /**
   * Adds the map of one tile.
   *
   * @param map `tile.height · tile.width` scores, row-major; not kept
   * @throws RangeError if the tile does not exist or came before, or the map has another size
   */
  addTile(row: number, column: number, map: Float32Array): void {
    const { grid } = this;
    const { tile, image } = grid;
    const position = row * grid.columns + column;
    rowAndColumn(grid, position);
    if (map.length !== tile.height * tile.width) {
      throw new RangeError(`A tile map has ${map.length} scores; a tile of ${tile.height}×${tile.width} has others.`);
    }
    if (this.#seen[position] !== 0) throw new RangeError(`The tile at row ${row}, column ${column} came twice.`);
    this.#seen[position] = 1;
    const top = row * grid.stride.height;
    const left = column * grid.stride.width;
    const columns = Math.min(tile.width, image.width - left);
    for (const band of this.#bands) {
      // No other tile covers these pixels.
      const alone = this.#single && band.rows === 1;
      if (band.top < top || band.top >= top + tile.height) continue;
      band.sums ??= this.storage(band.top, band.bottom);
      for (let y = band.top; y < band.bottom; y++) {
        const start = (y - band.top) * image.width + left;
        const from = (y - top) * tile.width;
        if (alone) band.sums.set(map.subarray(from, from + columns), start);
        else this.#addRow(band.sums, start, map, y - top, columns);
      }
      band.missing--;
      if (band.missing === 0) this.#finish(band, band.sums);
    }
  }

  #addRow(sums: Float32Array, start: number, map: Float32Array, tileRow: number, columns: number): void {
    const from = tileRow * this.grid.tile.width;
    const rowWindow = this.#rowWeights.window;
    const columnWindow = this.#columnWeights.window;
    if (rowWindow === undefined || columnWindow === undefined) {
      for (let x = 0; x < columns; x++) sums[start + x] = (sums[start + x] ?? 0) + (map[from + x] ?? 0);
      return;
    }
    const rowWeight = rowWindow[tileRow] ?? 0;
    for (let x = 0; x < columns; x++) {
      sums[start + x] = (sums[start + x] ?? 0) + (map[from + x] ?? 0) * rowWeight * (columnWindow[x] ?? 0);
    }
  }

  #finish(band: Band, sums: Float32Array): void {
    const { width } = this.grid.image;
    const columnTotals = this.#columnWeights.totals;
    for (let y = band.top; y < band.bottom; y++) {
      const rowTotal = this.#rowWeights.totals[y] ?? 1;
      // Nothing to divide where no tiles overlap.
      if (rowTotal === 1 && this.#single) continue;
      const start = (y - band.top) * width;
      for (let x = 0; x < width; x++) {
        sums[start + x] = (sums[start + x] ?? 0) / (rowTotal * (columnTotals[x] ?? 1));
      }
    }
    band.sums = undefined;
    this.onRows({ top: band.top, height: band.bottom - band.top, width, data: sums });
  }
}

/** Merges the tile maps of one image into one map. Takes 4 bytes a pixel of the image. */
export class MapMerger {
  readonly #merger: BandMerger;
  readonly #map: ScoreMap;

  constructor(grid: TileGrid, options: { readonly window?: MergeWindow } = {}) {
    const { height, width } = grid.image;
    const data = new Float32Array(height * width);
    this.#map = { height, width, data };
    this.#merger = new BandMerger(
      grid,
      options.window ?? 'mean',
      () => undefined,
      (top, bottom) => data.subarray(top * width, bottom * width),
    );
  }

  /** Adds the map of one tile; see `BandMerger.addTile`. */
  addTile(row: number, column: number, map: Float32Array): void {
    this.#merger.addTile(row, column, map);
  }

  /**
   * The merged map at the image's size.
   *
   * @throws RangeError if a tile is missing
   */
  finish(): ScoreMap {
    const { missing } = this.#merger;
    if (missing > 0) throw new RangeError(`The map cannot be merged: ${missing} tiles are missing.`);
    return this.#map;
  }
}

/** Cuts the rows of the image where tiles begin or end. */
function bandsOf(grid: TileGrid): Band[] {
  const starts = Array.from({ length: grid.rows }, (_, row) => row * grid.stride.height);
  const edges = [...new Set(starts.flatMap((start) => [start, start + grid.tile.height]))]
    .map((edge) => Math.min(edge, grid.image.height))
    .sort((a, b) => a - b);
  const bands: Band[] = [];
  for (const edge of edges) {
    const top = bands.at(-1)?.bottom ?? 0;
    if (edge <= top) continue;
    const covering = starts.filter((start) => start <= top && top < start + grid.tile.height).length;
    bands.push({ top, bottom: edge, rows: covering, missing: covering * grid.columns, sums: undefined });
  }
  return bands;
}

interface AxisWeights {
  /** Weight of each pixel of a tile along the axis; undefined when all are 1. */
  readonly window: Float64Array | undefined;
  /** Sum of the weights of all tiles at each pixel of the image. The weight of a pixel is the product over both axes. */
  readonly totals: Float64Array;
}

function axisWeights(length: number, tile: number, stride: number, count: number, window: MergeWindow): AxisWeights {
  const weights =
    window === 'smooth'
      ? Float64Array.from({ length: tile }, (_, index) => Math.sin((Math.PI * (index + 0.5)) / tile) ** 2)
      : undefined;
  const totals = new Float64Array(length);
  for (let number = 0; number < count; number++) {
    const start = number * stride;
    const end = Math.min(tile, length - start);
    for (let index = 0; index < end; index++)
      totals[start + index] = (totals[start + index] ?? 0) + (weights?.[index] ?? 1);
  }
  return { window: weights, totals };
}
