import { formatImageSize, type Mask, type RgbImage, type ScoreMap } from '../data/image.js';
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
  /** Host bytes for images and maps in work; decides how many images share an upload of parameters. */
  readonly hostBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly profiler?: Profiler | undefined;
}

interface Work {
  readonly index: number;
  readonly name: string;
  readonly image: RgbImage;
  /** Made when the first tile comes: an image that waits holds its pixels alone. */
  merger: MapMerger | undefined;
  readonly tileScores: Float32Array;
  readonly mask: Mask | undefined;
  remaining: number;
}

interface Batch {
  readonly items: readonly { work: Work; position: number }[];
}

/** Host bytes for images and maps in work where nothing else is said. */
export const defaultHostBytes = 2 ** 30;
/** Most images that share one upload of a position's parameters: more would hold results back and save little. */
const largestGroup = 256;
/** Images that are read at the same time, ahead of the device. */
const readAhead = 4;
/** Milliseconds that a group which is not full waits for the source's next image before it is computed as it is. */
const patience = 50;

/**
 * Predicts any number of images, in order, with bounded memory: while the device computes one batch of tiles, the next is
 * cut and uploaded and the last is read back and merged. Where all positions are on the device, image follows image;
 * where their parameters stream, a group of images goes through position after position, so that an upload serves them
 * all. A few images are read ahead, never more than the host bytes hold, and none is held back for one that has not come.
 *
 * What was read before an image that fails is still predicted; the error comes after it.
 */
export async function* predictImages(
  inputs: Iterable<PredictionInput> | AsyncIterable<PredictionInput>,
  options: PredictImagesOptions,
): AsyncGenerator<RawPrediction> {
  const { predictor, grid } = options;
  const { positions } = grid;
  const streaming = options.positions.capacity < (options.shared ? 1 : positions);
  const pixels = grid.image.height * grid.image.width;
  // A group's pixels and maps, masks where there are any, and the pixels of the group that is read meanwhile.
  const imageBytes = pixels * (3 + 4 + (options.stages?.pixelThresholds ? 1 : 0) + 3);
  const affordable = Math.max(1, Math.floor((options.hostBytes ?? defaultHostBytes) / imageBytes));
  const wanted = streaming ? largestGroup : Math.ceil((2 * predictor.setting.batch) / positions);
  const groupSize = Math.min(wanted, affordable);
  const ahead = Math.min(readAhead, Math.ceil(affordable / 8));

  const pipeline = new Pipeline(options);
  const source: Source = Symbol.asyncIterator in inputs ? inputs[Symbol.asyncIterator]() : inputs[Symbol.iterator]();
  const groups = grouped(new ReadAhead(source, ahead, options), groupSize);
  let done: Work[] = [];
  function* finished(works: readonly Work[]): Generator<RawPrediction> {
    done.push(...works);
    for (const work of inOrder(done)) yield result(work, options.profiler);
    done = done.filter((work) => work.remaining >= 0);
  }
  try {
    // The next group is read while this one computes.
    let upcoming = watched(groups.next());
    for (;;) {
      while (!upcoming.settled && pipeline.busy) yield* finished(await pipeline.take());
      let group: IteratorResult<Work[], unknown>;
      try {
        group = await unlessAborted(upcoming.promise, options.signal);
      } catch (error) {
        options.signal?.throwIfAborted();
        while (pipeline.busy) yield* finished(await pipeline.take());
        throw error;
      }
      if (group.done) break;
      upcoming = watched(groups.next());
      for (const batch of batches(group.value, positions, streaming, predictor.setting.batch)) {
        options.signal?.throwIfAborted();
        yield* finished(await pipeline.push(batch));
      }
    }
    while (pipeline.busy) yield* finished(await pipeline.take());
  } finally {
    // Not awaited: a source that waits for its next image would hold everything up.
    void Promise.resolve(source.return?.()).catch(() => undefined);
  }
}

/** A promise, or the reason of a signal that comes before it. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  signal.throwIfAborted();
  let stop: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = (): void => {
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

interface Watched<T> {
  readonly promise: Promise<T>;
  settled: boolean;
}

/** A promise that tells whether it has settled, and whose error belongs to whoever awaits it. */
function watched<T>(promise: Promise<T>): Watched<T> {
  const entry: Watched<T> = { promise, settled: false };
  const settle = (): void => {
    entry.settled = true;
  };
  promise.then(settle, settle);
  return entry;
}

/** Finished works by index, each marked as taken. Within a group images finish in order. */
function inOrder(done: Work[]): Work[] {
  const ready = done.filter((work) => work.remaining === 0).sort((a, b) => a.index - b.index);
  for (const work of ready) work.remaining = -1;
  return ready;
}

function result(work: Work, profiler: Profiler | undefined): RawPrediction {
  const started = performance.now();
  const map = work.merger?.finish();
  if (!map) throw new Error(`${work.name} has no tiles`);
  if (!allFinite(map.data)) {
    throw new TilesightError(
      'numbers',
      `${work.name}: the anomaly map holds a value that is not finite: check the image and the run's weights`,
    );
  }
  profiler?.host('merge', started);
  const { name, index, image, tileScores, mask } = work;
  return { name, index, image, map, tileScores, tileMask: mask };
}

/** Whether all values are finite numbers. x − x is 0 for those alone, and a sum of zeros needs no branch. */
function allFinite(values: Float32Array): boolean {
  let sum = 0;
  for (let index = 0; index < values.length; index++) {
    const value = values[index] ?? 0;
    sum += value - value;
  }
  return sum === 0;
}

type Source = Iterator<PredictionInput, unknown> | AsyncIterator<PredictionInput, unknown>;

/** Reads images in order, `ahead` of them at the same time. Inputs are asked for one after the other. */
class ReadAhead {
  readonly #queue: { readonly named: Watched<unknown>; readonly work: Promise<Work | undefined> }[] = [];
  #last: Promise<unknown> = Promise.resolve();
  #count = 0;

  constructor(
    private readonly source: Source,
    private readonly ahead: number,
    private readonly options: PredictImagesOptions,
  ) {}

  /** The next image; undefined at the end. */
  take(): Promise<Work | undefined> {
    this.#fill();
    return this.#queue.shift()?.work ?? Promise.resolve(undefined);
  }

  /** Whether the source names another image, or ends, within a short time. How long reading it takes does not count. */
  async comesSoon(): Promise<boolean> {
    this.#fill();
    const named = this.#queue[0]?.named;
    if (!named || named.settled) return true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, patience)));
    await Promise.race([late, named.promise.catch(() => undefined)]);
    clearTimeout(timer);
    return named.settled;
  }

  #fill(): void {
    while (this.#queue.length < this.ahead) {
      const named = this.#last.then(() => this.source.next());
      this.#last = named.catch(() => undefined);
      const work = this.#read(named);
      // The error belongs to whoever takes the image.
      work.catch(() => undefined);
      this.#queue.push({ named: watched(named), work });
    }
  }

  async #read(named: Promise<IteratorResult<PredictionInput, unknown>>): Promise<Work | undefined> {
    const { grid, profiler, stages } = this.options;
    const { height, width } = grid.image;
    const next = await named;
    if (next.done) return undefined;
    const index = this.#count++;
    const started = performance.now();
    const image = await next.value.read();
    profiler?.host('decode', started);
    if (image.height !== height || image.width !== width) {
      throw new TilesightError(
        'input',
        `${next.value.name} is ${formatImageSize(image)}, the ensemble takes ${formatImageSize(grid.image)}: resize it first`,
      );
    }
    return {
      index,
      name: next.value.name,
      image,
      merger: undefined,
      tileScores: new Float32Array(grid.positions),
      mask: stages?.pixelThresholds && { height, width, data: new Uint8Array(height * width) },
      remaining: grid.positions,
    };
  }
}

/**
 * Groups of `size` images. A group is given out before it is full when the source has no other image at hand, and when
 * reading one fails; the error comes after it.
 */
async function* grouped(images: ReadAhead, size: number): AsyncGenerator<Work[]> {
  let group: Work[] = [];
  for (;;) {
    if (group.length === size || (group.length > 0 && !(await images.comesSoon()))) {
      yield group;
      group = [];
    }
    let work: Work | undefined;
    try {
      work = await images.take();
    } catch (error) {
      if (group.length > 0) yield group;
      throw error;
    }
    if (!work) break;
    group.push(work);
  }
  if (group.length > 0) yield group;
}

/**
 * Cuts a group's work into batches. Where parameters stream, position follows position, so that an upload serves all images
 * of the group; else image follows image. A batch may hold tiles of any positions.
 */
function* batches(group: readonly Work[], positions: number, streaming: boolean, batch: number): Generator<Batch> {
  const order: { work: Work; position: number }[] = [];
  if (streaming) {
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
    return finished;
  }

  /** Whether a batch is in flight. */
  get busy(): boolean {
    return this.#slots.some((batch) => batch !== undefined);
  }

  /** Waits for the oldest batch in flight; gives the images that it finished. */
  async take(): Promise<Work[]> {
    const oldest = this.#slots[this.#next] ? this.#next : 1 - this.#next;
    return this.#collect(oldest);
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
      work.merger ??= new MapMerger(grid, { window: this.options.window });
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
