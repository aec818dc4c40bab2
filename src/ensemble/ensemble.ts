import type { ImageReader, Mask, RgbImage, Sample, ScoreMap } from '../data/image.js';
import { TilesightError } from '../engine/errors.js';
import type { Gpu } from '../engine/gpu.js';
import { formatBytes } from '../engine/memory.js';
import type { VariantTable } from '../engine/plan.js';
import type { Profiler } from '../engine/profiler.js';
import { ParameterPool } from '../engine/program.js';
import type { NamedTensors, Shape } from '../engine/tensor.js';
import type { AnomalyModel, ModelSetting } from '../models/anomaly-model.js';
import type { Backbone } from '../models/backbones/backbone.js';
import { planPredictor, Predictor } from '../models/predictor.js';
import { defectBoxes, type DefectBox } from './boxes.js';
import { fittedParts } from './fit.js';
import { NORMALIZED_THRESHOLD, normalizeMap, normalizeScore, type ScoreStatistics } from './normalization.js';
import { planPrediction, predictionSetting, transferBytes, type Residency } from './planning.js';
import { PositionCache } from './positions.js';
import { predictImages, type PredictionInput, type RawPrediction, type TileStages } from './predict.js';
import type { Run } from './run.js';
import { imageScores, type ImageScores } from './scores.js';
import { SeamSmoother } from './seam-smoother.js';
import {
  forNormalization,
  parseStatistics,
  StatisticsCollector,
  TileStatisticsCollector,
  type EnsembleStatistics,
} from './statistics.js';
import { maskAtThreshold } from './thresholds.js';
import { tileGrid, type TileGrid } from './tiling.js';

/** What an ensemble says about one image. */
export interface Prediction {
  readonly name: string;
  /** Position in the order of the inputs. */
  readonly index: number;
  /** The image as the ensemble saw it. */
  readonly image: RgbImage;
  /** Anomaly map at the ensemble's image size, smoothed along the seams, normalised if the run says so; made when asked for. */
  readonly map: ScoreMap;
  /** The same before normalisation: what metrics are computed on. */
  readonly rawMap: ScoreMap;
  /** Both scores before normalisation. */
  readonly rawScores: ImageScores;
  /** Score by the run's rule, normalised if the run says so. */
  readonly score: number;
  /** Scores at or above it are anomalous. */
  readonly threshold: number;
  readonly anomalous: boolean;
  /** Values of `map` at or above it are defective pixels. */
  readonly pixelThreshold: number;
  /** Pixels that are called defective, 255 there and 0 elsewhere. */
  readonly mask: Mask;
  /** Connected defective regions in pixels of the map, the highest score first. */
  readonly boxes: readonly DefectBox[];
}

/** How to load an ensemble. */
export interface LoadOptions {
  readonly gpu: Gpu;
  readonly run: Run;
  readonly model: AnomalyModel;
  readonly backbone: Backbone;
  /** Kernel variants to force, by operator. */
  readonly kernels?: Readonly<Record<string, string>> | undefined;
  readonly tuning?: VariantTable | undefined;
  readonly profiler?: Profiler | undefined;
  /** Holds the backbone's weights since fitting; taken over, and freed with the ensemble. */
  readonly pool?: ParameterPool | undefined;
  /** Device bytes that may be used; default the budget of `gpu`. */
  readonly budgetBytes?: number | undefined;
  /** Which positions keep their parameters on the device; default `auto`. */
  readonly resident?: Residency | undefined;
  /** Host bytes for images and maps in work. */
  readonly hostBytes?: number | undefined;
  /** Replaces the run's thresholds, without training. In raw scores. */
  readonly imageThreshold?: number | undefined;
  readonly pixelThreshold?: number | undefined;
}

/** A trained tiled ensemble, ready to predict. Loaded from a run folder; predicts any number of images in bounded memory. */
export class TiledEnsemble {
  private constructor(
    readonly run: Run,
    readonly grid: TileGrid,
    /** @internal */
    readonly predictor: Predictor,
    private readonly positions: PositionCache,
    private readonly smoother: SeamSmoother | undefined,
    private readonly options: LoadOptions,
    private statistics: EnsembleStatistics | undefined,
    /** Device bytes that prediction takes at most, known before the first allocation. */
    readonly plannedBytes: number,
  ) {}

  /** Loads a finished run, or one whose statistics are still to be fitted. */
  static async load(options: LoadOptions): Promise<TiledEnsemble> {
    const { gpu, run, model, backbone } = options;
    const { configuration } = run;
    const grid = tileGrid({
      image: configuration.imageSize,
      tile: configuration.tileSize,
      stride: configuration.stride,
    });
    const parts = fittedParts(grid, configuration.shared);
    const read = (index: number): Promise<NamedTensors> => run.readTensors(parts[index]?.part ?? '');
    const budgetBytes = (options.budgetBytes ?? gpu.memory.budgetBytes) - transferBytes;
    const images = configuration.trainingImages.length;
    const setting: ModelSetting = {
      backbone,
      tile: configuration.tileSize,
      batch: configuration.batch,
      seed: configuration.seed,
      adapter: gpu.profile,
      ...(options.kernels && { kernels: options.kernels }),
      ...(options.tuning && { tuning: options.tuning }),
      budgetBytes,
      trainingImages: configuration.shared ? images * grid.positions : images,
    };
    // Sizes that depend on the data (a memory bank's) are those of the run, not those that planning expected.
    const first = await read(0);
    const shapes = new Map<string, Shape>([...first].map(([name, tensor]) => [name, tensor.shape]));
    const ownSetting = predictionSetting(setting, grid);
    const plan = planPredictor(model, ownSetting, shapes);
    const { shared, seams: smoothing } = configuration;
    const resident = options.resident ?? 'auto';
    const request = { shared, seams: smoothing, resident, predictor: plan };
    const { seams, residentPositions, predictBytes } = planPrediction(model, setting, grid, request);
    if (resident === 'always' && predictBytes > budgetBytes + transferBytes) {
      throw new TilesightError(
        'memory',
        `all ${parts.length} positions on the device need ${formatBytes(predictBytes)}, the budget is ` +
          `${formatBytes(budgetBytes + transferBytes)}: give more memory, or let their parameters stream`,
      );
    }
    const predictor = await Predictor.create(gpu, plan, ownSetting, {
      ...(options.pool && { pool: options.pool }),
      profiler: options.profiler,
    });
    let smoother: SeamSmoother | undefined;
    try {
      smoother = seams && (await SeamSmoother.create(gpu, seams, grid, smoothing, options.profiler));
      const statistics = run.has('stats.json')
        ? parseStatistics(await run.readJson('stats.json'), `${run.storage.location}/stats.json`)
        : undefined;
      const positions = new PositionCache(predictor, read, parts.length, residentPositions);
      return new TiledEnsemble(run, grid, predictor, positions, smoother, options, statistics, predictBytes);
    } catch (error) {
      smoother?.destroy();
      predictor.destroy();
      throw error;
    }
  }

  /** Positions whose parameters are on the device at once; fewer than all means that they stream. */
  get residentPositions(): number {
    return this.positions.capacity;
  }

  /** Statistics of the validation images; undefined until they are fitted. */
  get fittedStatistics(): EnsembleStatistics | undefined {
    return this.statistics;
  }

  /** Thresholds in raw scores, the user's where given. */
  get thresholds(): { readonly image: number; readonly pixel: number } {
    const { statistics, options, run } = this;
    if (!statistics) throw new Error('the statistics are not fitted yet');
    return {
      image: options.imageThreshold ?? statistics[run.configuration.score].threshold.value,
      pixel: options.pixelThreshold ?? statistics.pixel.threshold.value,
    };
  }

  /** Predicts one image of the ensemble's image size. */
  async predict(image: RgbImage, name = 'image', signal?: AbortSignal): Promise<Prediction> {
    for await (const prediction of this.predictMany([{ name, read: () => Promise.resolve(image) }], signal))
      return prediction;
    throw new Error('no prediction came');
  }

  /** Predicts a stream of images, in order. Images are read only as fast as the results are taken. */
  async *predictMany(
    inputs: Iterable<PredictionInput> | AsyncIterable<PredictionInput>,
    signal?: AbortSignal,
  ): AsyncGenerator<Prediction> {
    const { statistics } = this;
    if (!statistics) throw new Error('the statistics are not fitted yet');
    for await (const raw of this.#smoothed(inputs, this.#tileStages(statistics.tiles), signal)) {
      const started = performance.now();
      const prediction = this.#finish(raw, statistics);
      this.options.profiler?.host('stages after merging', started);
      yield prediction;
    }
  }

  /**
   * Fits ranges and thresholds on validation images and keeps them for prediction. `source` says in words which images
   * these are. The caller stores the result with the run.
   */
  async fitStatistics(
    samples: readonly Sample[],
    reader: ImageReader,
    source: string,
    options: {
      signal?: AbortSignal | undefined;
      onProgress?: ((done: number, total: number) => void) | undefined;
    } = {},
  ): Promise<EnsembleStatistics> {
    const { configuration } = this.run;
    const { validation } = configuration;
    const needsTiles = configuration.normalization === 'tile' || configuration.threshold === 'tile';
    const passes = needsTiles ? 2 : 1;
    const masks = new Map<string, Mask | undefined>();
    const inputs = (): PredictionInput[] =>
      samples.map((sample) => ({
        name: sample.name,
        read: async () => {
          const { imageSize } = configuration;
          masks.set(
            sample.name,
            sample.maskPath === undefined ? undefined : await reader.readMask(sample.maskPath, imageSize),
          );
          return reader.readImage(sample.path, imageSize);
        },
      }));
    let done = 0;
    const step = (): void => options.onProgress?.(++done, samples.length * passes);

    let tiles: EnsembleStatistics['tiles'];
    if (needsTiles) {
      const collector = new TileStatisticsCollector(this.grid);
      const stages: TileStages = { onTile: (tile) => collector.add(tile, masks.get(tile.image)) };
      for await (const raw of this.#raw(inputs(), stages, options.signal)) {
        masks.delete(raw.name);
        step();
      }
      tiles = collector.finish(validation);
    }
    const collector = new StatisticsCollector();
    for await (const raw of this.#smoothed(inputs(), this.#tileStages(tiles), options.signal)) {
      collector.add(raw.map, imageScores(raw.map, raw.tileScores), samples[raw.index]?.label ?? 0, masks.get(raw.name));
      masks.delete(raw.name);
      step();
    }
    this.statistics = { ...collector.finish(validation, source), ...(tiles && { tiles }) };
    return this.statistics;
  }

  /** Frees the device memory. */
  destroy(): void {
    this.positions.clear();
    this.smoother?.destroy();
    this.predictor.destroy();
    this.options.pool?.destroy();
  }

  #raw(
    inputs: Iterable<PredictionInput> | AsyncIterable<PredictionInput>,
    stages: TileStages | undefined,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<RawPrediction> {
    const { shared, window } = this.run.configuration;
    return predictImages(inputs, {
      predictor: this.predictor,
      positions: this.positions,
      grid: this.grid,
      shared,
      window,
      stages,
      hostBytes: this.options.hostBytes,
      signal,
      profiler: this.options.profiler,
    });
  }

  /** Normalisation and thresholds that work on tiles before they are merged. */
  #tileStages(tiles: EnsembleStatistics['tiles']): TileStages | undefined {
    const { normalization, threshold } = this.run.configuration;
    if (!tiles) return undefined;
    const normalize = normalization === 'tile';
    return {
      onTile: (tile) => {
        const own = tiles[tile.position];
        if (!own || !normalize) return;
        normalizeMap(tile.map, own.pixel);
        tile.score = normalizeScore(tile.score, own.image);
      },
      ...(threshold === 'tile' && {
        pixelThresholds: tiles.map(({ pixel }) => (normalize ? NORMALIZED_THRESHOLD : pixel.threshold)),
      }),
    };
  }

  /** Merged maps with their seams smoothed. The device goes on with the next image meanwhile. */
  async *#smoothed(
    inputs: Iterable<PredictionInput> | AsyncIterable<PredictionInput>,
    stages: TileStages | undefined,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<RawPrediction> {
    const stop = new AbortController();
    const either = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
    const maps = this.#raw(inputs, stages, either);
    const advance = (): Promise<IteratorResult<RawPrediction, unknown>> => {
      const next = maps.next();
      // The error belongs to whoever takes the map.
      next.catch(() => undefined);
      return next;
    };
    let next = advance();
    try {
      for (;;) {
        const raw = await next;
        if (raw.done) return;
        next = advance();
        const started = performance.now();
        await this.smoother?.smooth(raw.value.map);
        this.options.profiler?.host('smooth seams', started);
        yield raw.value;
      }
    } finally {
      stop.abort();
      await next.catch(() => undefined);
    }
  }

  /** The stages after merging and smoothing: scores, normalisation, threshold, boxes. */
  #finish(raw: RawPrediction, statistics: EnsembleStatistics): Prediction {
    const { configuration } = this.run;
    const rawMap = raw.map;
    const rawScores = imageScores(rawMap, raw.tileScores);
    const rawScore = rawScores[configuration.score];
    const thresholds = this.thresholds;
    const atImage = configuration.normalization === 'image';
    const scoreRange = { ...forNormalization(statistics[configuration.score]), threshold: thresholds.image };
    const mapRange = { ...forNormalization(statistics.pixel), threshold: thresholds.pixel };
    const { tiles } = statistics;
    const byTile = configuration.threshold === 'tile' && tiles !== undefined;
    const tileThreshold = (position: number): number =>
      configuration.normalization === 'tile' ? NORMALIZED_THRESHOLD : (tiles?.[position]?.image.threshold ?? Infinity);
    // Most images are good: nothing is above, and there is nothing to look for.
    const clean = rawScores.maximum < thresholds.pixel;
    const { height, width } = rawMap;
    const above = clean
      ? { height, width, data: new Uint8Array(height * width) }
      : maskAtThreshold(rawMap, thresholds.pixel);
    const boxes = clean ? [] : defectBoxes(rawMap, { threshold: thresholds.pixel, mask: above });
    let map: ScoreMap | undefined;
    return {
      name: raw.name,
      index: raw.index,
      image: raw.image,
      get map() {
        map ??= atImage ? normalized(rawMap, mapRange) : rawMap;
        return map;
      },
      rawMap,
      rawScores,
      score: atImage ? normalizeScore(rawScore, scoreRange) : rawScore,
      threshold: atImage ? NORMALIZED_THRESHOLD : thresholds.image,
      anomalous: byTile
        ? raw.tileScores.some((score, position) => score >= tileThreshold(position))
        : rawScore >= thresholds.image,
      pixelThreshold: atImage ? NORMALIZED_THRESHOLD : thresholds.pixel,
      mask: raw.tileMask ?? above,
      boxes: atImage ? boxes.map((box) => ({ ...box, score: normalizeScore(box.score, mapRange) })) : boxes,
    };
  }
}

function normalized(map: ScoreMap, range: ScoreStatistics): ScoreMap {
  const data = map.data.slice();
  normalizeMap(data, range);
  return { ...map, data };
}
