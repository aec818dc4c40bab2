/**
 * Tilesight in Node: everything of `tilesight`, and what needs Node: a device through Dawn, image files, weights, training into
 * and prediction from a run folder.
 *
 * {@link train} and {@link openRun} are all that most programs need.
 *
 * @packageDocumentation
 */
export * from './index.js';
export {
  train,
  defaultTraining,
  type PredictionObserver,
  type RunHooks,
  type RunSummary,
  type TrainingOptions,
  type TrainingOutcome,
} from './node/training.js';
export type { DataOptions, EnsembleOptions, Hooks, StageOptions } from './node/setup.js';
export { openRun, type OpenedRun, type OpenRunOptions, type RunLog } from './node/open-run.js';
export { openGpu, type OpenGpuOptions } from './node/gpu.js';
export type { AdapterChoice, ApiOptions } from './node/adapter.js';
export { createNodeImages, nodeImages, type NodeImagesOptions } from './node/images.js';
export type { EvaluatedImage, Evaluation } from './ensemble/evaluate.js';
export type { ImageMetrics, PixelMetrics } from './metrics/summary.js';
export type { Curve } from './metrics/curves.js';
export { loadBackbone, type LoadedBackbone } from './node/backbone.js';
export { getWeights, type CachedWeights, type GetWeightsOptions } from './node/weights-cache.js';
export { folderStorage } from './node/run-storage.js';
