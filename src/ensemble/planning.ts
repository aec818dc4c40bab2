import { formatImageSize, type ImageSize } from '../data/image.js';
import type { AdapterProfile } from '../engine/adapter.js';
import { TilesightError } from '../engine/errors.js';
import { transferWindowBytes } from '../engine/gpu.js';
import { formatBytes } from '../engine/memory.js';
import type { VariantTable } from '../engine/plan.js';
import { elementCount } from '../engine/tensor.js';
import type { AnomalyModel, FitPlan, ModelSetting } from '../models/anomaly-model.js';
import type { Backbone } from '../models/backbones/backbone.js';
import { planPredictor, type PredictorPlan } from '../models/predictor.js';
import { planSeams, type SeamPlan } from './seam-smoother.js';
import { DEFAULT_SEAM_SMOOTHING, type SeamSmoothing } from './seams.js';
import { tileGrid, type TileGrid } from './tiling.js';

/**
 * Which positions keep their parameters on the device while predicting.
 * - `auto`: with a budget, as many as it holds; without one, all if they take at most a gibibyte, else one.
 * - `always`: all of them.
 * - `never`: one at a time, so that the peak is that of one tile, whatever the grid.
 */
export type Residency = 'auto' | 'always' | 'never';

/**
 * Parameters that stay on the device without a budget, in bytes: WebGPU does not tell how much memory there is, and this
 * much any GPU with memory of its own has to spare.
 */
export const residentBytes = 2 ** 30;

/** What a plan is asked for. What is left undefined is chosen. */
export interface PlanRequest {
  readonly model: AnomalyModel;
  readonly backbone: Backbone;
  readonly imageSize: ImageSize;
  readonly tileSize?: ImageSize | undefined;
  readonly stride?: ImageSize | undefined;
  readonly batch?: number | undefined;
  readonly shared: boolean;
  /** How seams are smoothed; default the paper's. */
  readonly seams?: (SeamSmoothing & { readonly apply?: boolean }) | undefined;
  readonly seed: number;
  readonly trainingImages: number;
  readonly adapter: AdapterProfile;
  readonly kernels?: Readonly<Record<string, string>> | undefined;
  readonly tuning?: VariantTable | undefined;
  /** Device bytes that may be used; Infinity without a budget. */
  readonly budgetBytes: number;
}

/** A configuration with everything chosen and what it will take. */
export interface EnsemblePlan {
  readonly setting: ModelSetting;
  readonly grid: TileGrid;
  readonly fit: FitPlan;
  /** @internal */
  readonly predictor: PredictorPlan;
  /** Positions whose parameters are on the device at once while predicting; fewer than all means that they stream. */
  readonly residentPositions: number;
  /** Highest device bytes of fitting, of prediction, and of both. */
  readonly fitBytes: number;
  readonly predictBytes: number;
  readonly plannedBytes: number;
  /** Arithmetic of predicting one image, in FLOP. */
  readonly flopsPerImage: number;
  /** Size of the finished run on disk, its parameters alone. */
  readonly runBytes: number;
  /** What was chosen and why, a line each. */
  readonly notes: readonly string[];
}

/** Device bytes for the windows through which parameters go up. */
const uploadBytes = 2 * transferWindowBytes;
/** The same with the one through which fitted parameters come down. */
export const transferBytes = uploadBytes + transferWindowBytes;

/** Tile sides that are tried from the largest that fits on, when none is given: small enough for any GPU. */
const tileSides = [256, 192, 128, 96, 64];
/** Batches that are tried, the largest first: a grid of two by two fills one, so that the peak is the same for all grids. */
const batches = [4, 2, 1];

/**
 * Completes a configuration within the budget and says what it will take, without a device. What the user gave is kept;
 * tile size, stride and batch are chosen otherwise: the largest tile up to 256 pixels and the largest batch that fit.
 *
 * @throws TilesightError `memory` when nothing fits; the line names what would.
 */
export function planEnsemble(request: PlanRequest): EnsemblePlan {
  const { imageSize, budgetBytes } = request;
  const shortest = Math.min(imageSize.height, imageSize.width);
  const sides = tileSides.filter((side) => side <= shortest);
  const square = (side: number): ImageSize => ({ height: side, width: side });
  const tiles = request.tileSize ? [request.tileSize] : sides.length > 0 ? sides.map(square) : [square(shortest)];
  const batchChoices = request.batch === undefined ? batches : [request.batch];
  let smallest: EnsemblePlan | undefined;
  for (const tile of tiles) {
    for (const batch of batchChoices) {
      const plan = planOne(request, tile, batch);
      if (plan.plannedBytes <= budgetBytes) return plan;
      if (!smallest || plan.plannedBytes < smallest.plannedBytes) smallest = plan;
    }
  }
  if (!smallest) throw new Error('no configuration to plan');
  throw new TilesightError('memory', refusal(request, smallest));
}

function refusal(request: PlanRequest, smallest: EnsemblePlan): string {
  const { tile, batch } = smallest.setting;
  const needed = `tile ${formatImageSize(tile)} with batch ${batch} needs ${formatBytes(smallest.plannedBytes)}`;
  const budget = `the budget is ${formatBytes(request.budgetBytes)}`;
  const withoutBudget = { ...request, budgetBytes: Infinity };
  // The largest thing that would fit, among smaller tiles and batches than those asked for.
  for (const side of tileSides.filter((candidate) => candidate <= Math.min(tile.height, tile.width))) {
    for (const smaller of batches.filter((candidate) => candidate <= batch)) {
      const plan = planOne({ ...withoutBudget, stride: undefined }, { height: side, width: side }, smaller);
      if (plan.plannedBytes <= request.budgetBytes) {
        return `${needed}, ${budget}: --tile-size ${side} --batch ${smaller} would fit (${formatBytes(plan.plannedBytes)})`;
      }
    }
  }
  return `${needed}, ${budget}: nothing smaller fits either, give at least --memory ${formatBytes(smallest.plannedBytes).replace(' ', '')}`;
}

/** Plans one choice of tile and batch, whether it fits or not. */
function planOne(request: PlanRequest, tile: ImageSize, batch: number): EnsemblePlan {
  const grid = tileGrid({ image: request.imageSize, tile, stride: request.stride ?? tile });
  const positions = grid.rows * grid.columns;
  const setting: ModelSetting = {
    backbone: request.backbone,
    tile,
    batch,
    seed: request.seed,
    adapter: request.adapter,
    ...(request.kernels && { kernels: request.kernels }),
    ...(request.tuning && { tuning: request.tuning }),
    budgetBytes: request.budgetBytes - transferBytes,
    trainingImages: request.trainingImages * (request.shared ? positions : 1),
  };
  const fit = request.model.planFit(setting);
  const { predictor, residentPositions, predictBytes } = planPrediction(request.model, setting, grid, {
    shared: request.shared,
    seams: request.seams ?? DEFAULT_SEAM_SMOOTHING,
    resident: trainingResidency(request.budgetBytes),
  });
  const fitBytes = fit.peakBytes + transferBytes;
  const models = request.shared ? 1 : positions;
  const parameters = [...request.model.parameterShapes(setting).values()];
  const notes = [...fit.notes];
  if (!request.tileSize) notes.push(`tile size ${formatImageSize(tile)} chosen`);
  if (request.batch === undefined && batch !== batches[0]) notes.push(`batch ${batch} chosen to fit`);
  if (residentPositions < models && Number.isFinite(request.budgetBytes)) {
    notes.push(
      `the parameters of ${residentPositions} of ${models} positions fit at once: they stream through the device`,
    );
  }
  return {
    setting,
    grid,
    fit,
    predictor,
    residentPositions,
    fitBytes,
    predictBytes,
    // Windows stay: the one that fitting opened is there while predicting.
    plannedBytes: Math.max(fitBytes, predictBytes + transferBytes - uploadBytes),
    flopsPerImage: predictor.flopsPerTile * positions,
    runBytes: models * parameters.reduce((sum, shape) => sum + elementCount(shape) * 4, 0),
    notes,
  };
}

/** The setting for prediction: its batch never has more tiles than an image. */
export function predictionSetting(setting: ModelSetting, grid: TileGrid): ModelSetting {
  return { ...setting, batch: Math.min(setting.batch, grid.rows * grid.columns) };
}

/** Residency of plans and of training: the same peak for every grid without a budget. */
export function trainingResidency(budgetBytes: number): Residency {
  return Number.isFinite(budgetBytes) ? 'auto' : 'never';
}

/** How prediction is planned besides its model, setting and grid. */
export interface PredictionRequest {
  readonly shared: boolean;
  readonly seams: SeamSmoothing & { readonly apply?: boolean };
  readonly resident: Residency;
  /** The predictor's plan where it is known. */
  readonly predictor?: PredictorPlan;
}

/** What prediction takes on the device. */
export interface PredictionPlan {
  readonly predictor: PredictorPlan;
  /** Undefined where there is nothing to smooth. */
  readonly seams: SeamPlan | undefined;
  readonly residentPositions: number;
  /** Highest device bytes, transfer windows included. */
  readonly predictBytes: number;
}

/** Plans prediction alone; at least one position is on the device. */
export function planPrediction(
  model: AnomalyModel,
  setting: ModelSetting,
  grid: TileGrid,
  request: PredictionRequest,
): PredictionPlan {
  const predictor = request.predictor ?? planPredictor(model, predictionSetting(setting, grid));
  const seams = planSeams(grid, request.seams, setting);
  const models = request.shared ? 1 : grid.positions;
  const fixedBytes = predictor.fixedBytes + (seams?.plan.bytes.total ?? 0);
  const room = Number.isFinite(setting.budgetBytes) ? setting.budgetBytes - fixedBytes : residentBytes;
  const fitting = predictor.positionBytes > 0 ? Math.floor(room / predictor.positionBytes) : models;
  const auto = Number.isFinite(setting.budgetBytes) ? Math.min(models, fitting) : fitting >= models ? models : 1;
  const residentPositions =
    request.resident === 'auto' ? Math.max(1, auto) : request.resident === 'always' ? models : 1;
  const predictBytes = fixedBytes + residentPositions * predictor.positionBytes + uploadBytes;
  return { predictor, seams, residentPositions, predictBytes };
}
