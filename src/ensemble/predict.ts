import type { Mask, RgbImage, ScoreMap } from '../data/image.js';
import { TilesightError } from '../engine/errors.js';
import type { Profiler } from '../engine/profiler.js';
import type { Predictor } from '../models/predictor.js';
import { MapMerger } from './merging.js';
import type { PositionCache } from './positions.js';
import { cutTile, tileOrigin, type TileGrid } from './tiling.js';

/** An image to predict, at the ensemble's image size. Decoded when its turn comes. */
export interface PredictionInput {
  readonly name: string;
  /** Reads it at the ensemble's image size; called when its turn comes. */
  read(): Promise<RgbImage>;
}

/** The raw result of one image, before the stages that follow merging. */
export interface RawPrediction {
  readonly name: string;
  /** Position in the order of the inputs. */
  readonly index: number;
  readonly image: RgbImage;
  /** Merged anomaly map at the ensemble's image size. */
  readonly map: ScoreMap;
  /** Score of each tile, row-major. */
  readonly tileScores: Float32Array;
  /** Union of the tiles' own masks, where the threshold is applied to tiles. */
  readonly tileMask: Mask | undefined;
}

/** A tile's result on its way into the merged map. The map may be changed in place. */
export interface TileResult {
  readonly image: string;
  readonly position: number;
  readonly map: Float32Array;
  score: number;
}

/** Stages that work on tiles before they are merged. */
export interface TileStages {
  /** Sees, and may normalise, each tile's result. */
  readonly onTile?: (tile: TileResult) => void;
  /** Threshold of each position's map: marks the pixels at or above it in the image's mask (a union over overlaps). */
  readonly pixelThresholds?: readonly number[];
}

/** How {@link predictImages} goes about it. */
export interface PredictImagesOptions {
  readonly predictor: Predictor;
  readonly positions: PositionCache;
  readonly grid: TileGrid;
  /** One model for all positions. */
  readonly shared: boolean;
  readonly window: 'mean' | 'smooth';
  readonly stages?: TileStages | undefined;
  /** Host bytes for images and maps in work; decides how many images share an upload of parameters. Default 1 GiB. */
  readonly hostBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly profiler?: Profiler | undefined;
}

interface Work {
  readonly index: number;
  readonly name: string;
  readonly image: RgbImage;
  readonly merger: MapMerger;
  readonly tileScores: Float32Array;
  readonly mask: Mask | undefined;
  remaining: number;
}

interface Batch {
  readonly items: readonly { work: Work; position: number }[];
}

/** Most images that share one upload of a position's parameters. */
const largestGroup = 64;

/**
 * Predicts any number of images, in order, with bounded memory: while the device computes one batch of tiles, the next is
 * cut and uploaded and the last is read back and merged. Where all positions are on the device, image follows image;
 * where their parameters stream, a group of images goes through position after position, so that an upload serves them
 * all. Nothing is decoded before the consumer has taken the results that came before.
 */
export async function* predictImages(
  inputs: Iterable<PredictionInput> | AsyncIterable<PredictionInput>,
  options: PredictImagesOptions,
): AsyncGenerator<RawPrediction> {
  const { predictor, grid } = options;
  const positions = grid.rows * grid.columns;
  const models = options.shared ? 1 : positions;
  const streaming = options.positions.capacity < models;
  const imageBytes = grid.image.height * grid.image.width * (3 + 4 + 4);
  const affordable = Math.max(1, Math.floor((options.hostBytes ?? 2 ** 30) / imageBytes / 2));
  const groupSize = streaming
    ? Math.min(largestGroup, affordable)
    : Math.min(affordable, Math.max(1, Math.ceil((2 * predictor.setting.batch) / positions)));

  const pipeline = new Pipeline(options);
  const groups = grouped(inputs, groupSize, options);
  // The next group is decoded while this one computes.
  let upcoming = groups.next();
  upcoming.catch(() => undefined);
  let done: Work[] = [];
  for (;;) {
    const group = await upcoming;
    if (group.done) break;
    upcoming = groups.next();
    upcoming.catch(() => undefined);
    for (const batch of batches(group.value, positions, models, options)) {
      options.signal?.throwIfAborted();
      done.push(...(await pipeline.push(batch)));
      for (const work of inOrder(done)) yield result(work, options.profiler);
      done = done.filter((work) => work.remaining >= 0);
    }
  }
  done.push(...(await pipeline.drain()));
  for (const work of inOrder(done)) yield result(work, options.profiler);
}

/** Finished works by index, each marked as taken. Within a group images finish in order. */
function inOrder(done: Work[]): Work[] {
  const ready = done.filter((work) => work.remaining === 0).sort((a, b) => a.index - b.index);
  for (const work of ready) work.remaining = -1;
  return ready;
}

function result(work: Work, profiler: Profiler | undefined): RawPrediction {
  const started = performance.now();
  const map = work.merger.finish();
  for (const value of map.data) {
    if (!Number.isFinite(value)) {
      throw new TilesightError(
        'numbers',
        `${work.name}: the anomaly map holds a value that is not finite: check the image and the run's weights`,
      );
    }
  }
  profiler?.host('merge', started);
  const { name, index, image, tileScores, mask } = work;
  return { name, index, image, map, tileScores, tileMask: mask };
}

async function* grouped(
  inputs: Iterable<PredictionInput> | AsyncIterable<PredictionInput>,
  size: number,
  { grid, window, profiler, stages }: PredictImagesOptions,
): AsyncGenerator<Work[]> {
  let group: Work[] = [];
  let index = 0;
  const positions = grid.rows * grid.columns;
  for await (const input of inputs) {
    const started = performance.now();
    const image = await input.read();
    profiler?.host('decode', started);
    if (image.height !== grid.image.height || image.width !== grid.image.width) {
      throw new TilesightError(
        'input',
        `${input.name} is ${image.height}x${image.width}, the ensemble takes ${grid.image.height}x${grid.image.width}: resize it first`,
      );
    }
    const { height, width } = grid.image;
    group.push({
      index,
      name: input.name,
      image,
      merger: new MapMerger(grid, { window }),
      tileScores: new Float32Array(positions),
      mask: stages?.pixelThresholds && { height, width, data: new Uint8Array(height * width) },
      remaining: positions,
    });
    index += 1;
    if (group.length === size) {
      yield group;
      group = [];
    }
  }
  if (group.length > 0) yield group;
}

/**
 * Cuts a group's work into batches. Where parameters stream, position follows position, so that an upload serves all images
 * of the group; else image follows image. A batch may hold tiles of any positions.
 */
function* batches(
  group: readonly Work[],
  positions: number,
  models: number,
  options: PredictImagesOptions,
): Generator<Batch> {
  const { batch } = options.predictor.setting;
  const order: { work: Work; position: number }[] = [];
  if (options.positions.capacity < models) {
    for (let position = 0; position < positions; position++) for (const work of group) order.push({ work, position });
  } else {
    for (const work of group) for (let position = 0; position < positions; position++) order.push({ work, position });
  }
  for (let start = 0; start < order.length; start += batch) yield { items: order.slice(start, start + batch) };
}

/** Two batches in flight: one computes, the other is filled or read. */
class Pipeline {
  readonly #slots: (Batch | undefined)[] = [undefined, undefined];
  readonly #pixels: Uint8Array[];
  #next = 0;

  constructor(private readonly options: PredictImagesOptions) {
    const { setting } = options.predictor;
    const bytes = setting.batch * setting.tile.height * setting.tile.width * 3;
    this.#pixels = this.#slots.map(() => new Uint8Array(bytes));
  }

  /** Submits a batch; gives the images that the batch before in this slot finished. */
  async push(batch: Batch): Promise<Work[]> {
    const { predictor, positions, grid, shared, profiler } = this.options;
    const slot = this.#next;
    this.#next = 1 - slot;
    const finished = await this.#collect(slot);
    const pixels = this.#pixels[slot] ?? new Uint8Array();
    const tileBytes = grid.tile.height * grid.tile.width * 3;
    const started = performance.now();
    batch.items.forEach(({ work, position }, index) => {
      cutTile(work.image, grid, position, pixels.subarray(index * tileBytes, (index + 1) * tileBytes));
    });
    profiler?.host('cut tiles', started);
    const wanted = batch.items.map(({ position }) => (shared ? 0 : position));
    await predictor.submit(slot, pixels.subarray(0, batch.items.length * tileBytes), wanted, positions);
    this.#slots[slot] = batch;
    const last = batch.items.at(-1);
    if (last && !shared && positions.capacity < grid.rows * grid.columns) {
      positions.prefetch((last.position + 1) % (grid.rows * grid.columns));
    }
    return finished;
  }

  /** Waits for everything in flight. */
  async drain(): Promise<Work[]> {
    const first = await this.#collect(this.#next);
    return [...first, ...(await this.#collect(1 - this.#next))];
  }

  async #collect(slot: number): Promise<Work[]> {
    const batch = this.#slots[slot];
    if (!batch) return [];
    const { predictor, grid, stages, profiler } = this.options;
    const { maps, scores } = await predictor.read(slot, batch.items.length);
    this.#slots[slot] = undefined;
    const started = performance.now();
    const size = grid.tile.height * grid.tile.width;
    const finished: Work[] = [];
    batch.items.forEach(({ work, position }, index) => {
      const map = maps.subarray(index * size, (index + 1) * size);
      const score = scores[index] ?? NaN;
      if (!Number.isFinite(score)) {
        throw new TilesightError(
          'numbers',
          `${work.name}: the score of tile ${position} is not finite: check the image and the run's weights`,
        );
      }
      const tile: TileResult = { image: work.name, position, map, score };
      stages?.onTile?.(tile);
      work.tileScores[position] = tile.score;
      const threshold = stages?.pixelThresholds?.[position];
      if (work.mask && threshold !== undefined) markTile(work.mask, grid, position, map, threshold);
      work.merger.addTile(Math.floor(position / grid.columns), position % grid.columns, map);
      work.remaining -= 1;
      if (work.remaining === 0) finished.push(work);
    });
    profiler?.host('merge', started);
    return finished;
  }
}

/** Adds the pixels of a tile's map at or above the threshold to an image's mask. */
function markTile(mask: Mask, grid: TileGrid, position: number, map: Float32Array, threshold: number): void {
  const { top, left } = tileOrigin(grid, position);
  const rows = Math.min(grid.tile.height, mask.height - top);
  const columns = Math.min(grid.tile.width, mask.width - left);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      if ((map[row * grid.tile.width + column] ?? 0) >= threshold)
        mask.data[(top + row) * mask.width + left + column] = 255;
    }
  }
}
