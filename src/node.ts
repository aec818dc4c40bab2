/**
 * Tilesight in Node: everything of `tilesight`, and what needs Node: a device through Dawn, files, data sets, weights,
 * training into and prediction from a run folder.
 *
 * @packageDocumentation
 */
export * from './index.js';
export { openGpu, type OpenGpuOptions } from './node/gpu.js';
export { createNodeImages, nodeImages } from './node/images.js';
export { openDataset } from './node/datasets.js';
export { loadBackbone, type LoadedBackbone } from './node/backbone.js';
export { folderStorage } from './node/run-storage.js';
export { getWeights } from './node/weights-cache.js';
export { residentMemory } from './node/peak-memory.js';
export { openRun, type OpenedRun, type OpenRunOptions } from './node/open-run.js';
export {
  train,
  defaultTraining,
  type RunSummary,
  type TrainingOptions,
  type TrainingOutcome,
} from './node/training.js';
