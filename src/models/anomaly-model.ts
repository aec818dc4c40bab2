import type { Gpu } from '../engine/gpu.js';
import type { Graph, Tensor } from '../engine/graph.js';
import type { AdapterProfile } from '../engine/adapter.js';
import type { VariantTable } from '../engine/plan.js';
import type { Profiler } from '../engine/profiler.js';
import type { ParameterPool } from '../engine/program.js';
import type { DType, NamedTensors, Shape } from '../engine/tensor.js';
import type { Backbone } from './backbones/backbone.js';

/** Height and width of a tile, in pixels. */
export interface TileSize {
  readonly height: number;
  readonly width: number;
}

/** What a model is made for: everything that fixes its graphs. The same for every tile position. */
export interface ModelSetting {
  readonly backbone: Backbone;
  readonly tile: TileSize;
  /** Tiles that the frozen part computes at once. */
  readonly batch: number;
  /** Same seed for every position: all share a feature subset and initial weights. */
  readonly seed: number;
  readonly adapter: AdapterProfile;
  /** Forced kernel variants by operator. */
  readonly kernels?: Readonly<Record<string, string>>;
  readonly tuning?: VariantTable;
  /** Device bytes that fitting and predicting may take, backbone and slots included; Infinity without a budget. */
  readonly budgetBytes: number;
  /** Number of training images, where it is known (a memory bank grows with it). */
  readonly trainingImages: number;
}

/** Tiles of one position, image by image. Implemented by the ensemble's tile store. */
export interface TileSource {
  /** Number of training images. */
  readonly count: number;
  /** Copies the tiles of the given images behind each other into `target` (8-bit RGB, `[indices.length, h, w, 3]`). */
  read(indices: readonly number[], target: Uint8Array): Promise<void>;
  /** Name of an image, for messages. */
  imageName(index: number): string;
}

/** Progress of a fit: `done` of `total` units. */
export interface FitProgress {
  readonly stage: string;
  readonly done: number;
  readonly total: number;
  /** Loss of the last step, for models that train. */
  readonly loss?: number;
}

/** State inside a position, so that a kill loses little. */
export interface CheckpointStore {
  /** What was saved last; undefined at the start of a fit. */
  load(): Promise<NamedTensors | undefined>;
  /** Replaces what was saved. */
  save(tensors: NamedTensors): Promise<void>;
}

/** One fit of one position. */
export interface FitJob {
  readonly tiles: TileSource;
  /** Held-out good images of the same position, for models that stop early; may be empty. */
  readonly heldOut: TileSource | undefined;
  readonly signal: AbortSignal | undefined;
  /** Told after each batch or step. */
  readonly onProgress: ((progress: FitProgress) => void) | undefined;
  readonly checkpoint: CheckpointStore | undefined;
}

/** The result of a fit. */
export interface FittedPosition {
  /** The position's parameters, by the names that {@link AnomalyModel.head} declares. */
  readonly parameters: NamedTensors;
  /** Loss of each step, for models that train. */
  readonly losses?: readonly number[];
  /** What the run should say about the fit (`streaming coreset over 12 blocks`). */
  readonly notes?: readonly string[];
}

/** Fits position after position with the same programs. */
export interface Fitter {
  /** Fits one position; the same job gives the same bytes whatever was fitted before. */
  fit(job: FitJob): Promise<FittedPosition>;
  /** Frees its device memory. */
  destroy(): void;
}

/** What fitting needs besides the setting. */
export interface FitContext {
  readonly gpu: Gpu;
  /** Holds the frozen backbone's weights, shared with prediction. */
  readonly pool: ParameterPool;
  readonly profiler: Profiler | undefined;
}

/** Cost of fitting, known before any image is read. */
export interface FitPlan {
  /** Highest device bytes while fitting, backbone weights and slots included. */
  readonly peakBytes: number;
  /** Bytes by what they are for, at the peak. */
  readonly byOwner: Readonly<Record<string, number>>;
  /** Arithmetic for one tile image (one pass), in FLOP. */
  readonly flops: number;
  /** Decisions the budget forced (`streaming coreset`, `activations recomputed`). */
  readonly notes: readonly string[];
}

/** The head's results for one tile. */
export interface HeadOutputs {
  /** Anomaly map at the tile's size, `[1, h, w]`, not negative unless the model says so. */
  readonly map: Tensor;
  /** Image-level score of the tile, `[1]`. */
  readonly score: Tensor;
}

/**
 * The one interface between models and ensemble. A model is a frozen part that is the same for all positions
 * ({@link features}, run on batches of tiles of any positions), a head with parameters of a position ({@link head}, run
 * tile by tile), and a way to fit those parameters.
 */
export interface AnomalyModel {
  readonly name: string;
  /** Backbone layers whose outputs the model takes, shallowest first. */
  readonly layers: readonly string[];
  /** True when its parameters belong to places in the tile (a distribution a pixel), so that unaligned parts hurt it. */
  readonly positionBound?: boolean;
  /** True when fitting looks at held-out good images (early stop). */
  readonly usesHeldOut?: boolean;
  /** Shapes of a position's parameters. Sizes that depend on the data are those of `trainingImages` images. */
  parameterShapes(setting: ModelSetting): ReadonlyMap<string, Shape>;
  /**
   * The frozen part behind the backbone: from its taps `[B, …]` to features, each with leading dimension B. `pixels` are
   * the tiles themselves (8-bit RGB, `[B, h, w, 3]`), for models whose head looks at the image.
   */
  features(graph: Graph, taps: readonly Tensor[], setting: ModelSetting, pixels: Tensor): readonly Tensor[];
  /**
   * From the features of one tile (`[1, …]`) and the position's parameters to the anomaly map. `parameter(name)` declares
   * a parameter of the shape that {@link parameterShapes} (or the fitted position) gives, kept on the device as `dtype`
   * (default f32).
   */
  head(
    graph: Graph,
    features: readonly Tensor[],
    parameter: (name: string, dtype?: DType) => Tensor,
    setting: ModelSetting,
  ): HeadOutputs;
  /** Plans fitting without a device. */
  planFit(setting: ModelSetting): FitPlan;
  /** Programs for fitting, used for one position after the other. */
  createFitter(setting: ModelSetting, context: FitContext): Promise<Fitter>;
}
