import type { ImageReader, Sample } from '../data/image.js';
import { TilesightError } from '../engine/errors.js';
import type { NamedTensors } from '../engine/tensor.js';
import type { CheckpointStore, FitProgress, Fitter, TileSource } from '../models/anomaly-model.js';
import { decodeSafetensors, encodeSafetensors } from '../models/weights/safetensors.js';
import { ImageStore, type SpillFile } from './image-store.js';
import { positionPart, sharedPart, type Run } from './run.js';
import { tileOrigin, type TileGrid } from './tiling.js';

/** Progress of fitting an ensemble: `position` of `positions`, and where the model is inside it. */
export interface EnsembleProgress extends FitProgress {
  readonly position: number;
  readonly positions: number;
}

/** Decodes each image once, at the run's size, into a store that all tile positions read from. */
export async function decodeImages(
  samples: readonly Sample[],
  reader: ImageReader,
  size: { height: number; width: number },
  options: {
    openSpill?: (() => Promise<SpillFile>) | undefined;
    memoryBytes?: number | undefined;
    signal?: AbortSignal | undefined;
    onProgress?: ((done: number, total: number) => void) | undefined;
    /** Images decoded at the same time. */
    concurrency?: number;
  } = {},
): Promise<ImageStore> {
  const store = new ImageStore(size.height, size.width, options.openSpill, options.memoryBytes);
  let next = 0;
  let done = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < samples.length; index = next++) {
      options.signal?.throwIfAborted();
      const sample = samples[index];
      if (!sample) return;
      await store.add(index, await reader.readImage(sample.path, size));
      done += 1;
      options.onProgress?.(done, samples.length);
    }
  };
  try {
    await Promise.all(Array.from({ length: options.concurrency ?? 2 }, worker));
  } catch (error) {
    await store.close();
    throw error;
  }
  return store;
}

/** The tiles of one position, or of all positions behind each other when `position` is undefined (a shared model). */
export function tileSource(
  store: ImageStore,
  samples: readonly Sample[],
  grid: TileGrid,
  position: number | undefined,
): TileSource {
  const { tile } = grid;
  const positions = grid.rows * grid.columns;
  const tileBytes = tile.height * tile.width * 3;
  const locate = (index: number): { image: number; position: number } =>
    position === undefined
      ? { image: Math.floor(index / positions), position: index % positions }
      : { image: index, position };
  return {
    count: position === undefined ? samples.length * positions : samples.length,
    read: async (indices, target) => {
      await Promise.all(
        indices.map(async (index, number) => {
          const at = locate(index);
          const rect = { ...tileOrigin(grid, at.position), ...tile };
          await store.readTile(at.image, rect, target.subarray(number * tileBytes, (number + 1) * tileBytes));
        }),
      );
    },
    imageName: (index) => samples[locate(index).image]?.name ?? `image ${index}`,
  };
}

/** What {@link fitEnsemble} needs. */
export interface FitEnsembleOptions {
  readonly run: Run;
  readonly grid: TileGrid;
  readonly store: ImageStore;
  readonly samples: readonly Sample[];
  /** Held-out good images in a store of their own, for models that stop early. */
  readonly heldOut?: { readonly store: ImageStore; readonly samples: readonly Sample[] } | undefined;
  readonly fitter: Fitter;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: EnsembleProgress) => void) | undefined;
}

/** What fitting found, besides the parameters in the run. */
export interface FitReport {
  /** Losses of the positions fitted in this process, by part name. */
  readonly losses: ReadonlyMap<string, readonly number[]>;
  /** Notes of the models, each once. */
  readonly notes: readonly string[];
  readonly fitted: number;
  /** Positions that an earlier process had finished. */
  readonly resumed: number;
}

/**
 * Fits a model for each tile position, one after the other with the same programs, and writes each position's parameters
 * as soon as it is done. Positions that the run already holds are not fitted again.
 */
export async function fitEnsemble(options: FitEnsembleOptions): Promise<FitReport> {
  const { run, grid, store, samples, heldOut, fitter } = options;
  const parts = fittedParts(grid, run.configuration.shared);
  const losses = new Map<string, readonly number[]>();
  const notes = new Set<string>();
  let fitted = 0;
  for (const [index, { part, position }] of parts.entries()) {
    if (run.has(part)) continue;
    options.signal?.throwIfAborted();
    const tiles = tileSource(store, samples, grid, position);
    if (tiles.count === 0) throw new TilesightError('input', 'there are no training images left to fit on');
    const checkpoint = checkpointStore(run, part);
    const result = await fitter.fit({
      tiles,
      heldOut: heldOut && tileSource(heldOut.store, heldOut.samples, grid, position),
      signal: options.signal,
      checkpoint,
      onProgress: (progress) => options.onProgress?.({ ...progress, position: index, positions: parts.length }),
    });
    // The parameters last: a position is finished once they are there.
    if (result.losses) {
      losses.set(part, result.losses);
      await run.writeJson(lossPart(part), result.losses);
    }
    await run.writeTensors(part, result.parameters);
    for (const note of result.notes ?? []) notes.add(note);
    await run.storage.remove(checkpointName(part));
    fitted += 1;
  }
  return { losses, notes: [...notes], fitted, resumed: parts.length - fitted };
}

/** The parts that hold a run's parameters, in the order of fitting; one without position when it is shared. */
export function fittedParts(grid: TileGrid, shared: boolean): { part: string; position: number | undefined }[] {
  if (shared) return [{ part: sharedPart, position: undefined }];
  return Array.from({ length: grid.rows * grid.columns }, (_, position) => ({
    part: positionPart(Math.floor(position / grid.columns), position % grid.columns),
    position,
  }));
}

/** Name of the part that holds the loss curve of a position. */
export function lossPart(part: string): string {
  return part.replace(/\.safetensors$/, '.loss.json');
}

function checkpointName(part: string): string {
  return part.replace(/\.safetensors$/, '.checkpoint.safetensors');
}

/** State within a position. A checkpoint that cannot be read is ignored: it only costs the steps it would have saved. */
function checkpointStore(run: Run, part: string): CheckpointStore {
  const name = checkpointName(part);
  return {
    load: async (): Promise<NamedTensors | undefined> => {
      const bytes = await run.storage.read(name);
      if (!bytes) return undefined;
      try {
        return decodeSafetensors(bytes, `${run.storage.location}/${name}`).tensors;
      } catch {
        return undefined;
      }
    },
    save: (tensors) => run.storage.write(name, encodeSafetensors(tensors, {})),
  };
}
