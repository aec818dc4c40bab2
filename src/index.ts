/// <reference types="@webgpu/types" preserve="true" />
/**
 * Tilesight for any platform with WebGPU: the engine, the anomaly models and the tiled ensemble. Nothing in here needs
 * Node; see `tilesight/node` for training and prediction in Node, and `tilesight/operators` for the operators that graphs are
 * made of.
 *
 * A page that uses a trained run needs {@link createGpu}, {@link fetchStorage}, {@link openEnsemble} and
 * {@link createBrowserImages}. The rest is for kernels and models of one's own.
 *
 * @packageDocumentation
 */
export { TilesightError, type ErrorKind } from './engine/errors.js';

// The device and its memory
export { createGpu, Gpu, type DeviceBuffer, type GpuCounters, type GpuOptions } from './engine/gpu.js';
export type { AdapterClass, AdapterProfile, PlanningLimits } from './engine/adapter.js';
export type { Accountant, MemorySample } from './engine/memory.js';

// Using an ensemble
export { openEnsemble, type OpenEnsembleOptions } from './ensemble/open-ensemble.js';
export { TiledEnsemble, type LoadOptions, type Prediction } from './ensemble/ensemble.js';
export type { Residency } from './ensemble/planning.js';
export type { PredictionInput } from './ensemble/predict.js';
export type { DefectBox } from './ensemble/boxes.js';
export type { ImageScores } from './ensemble/scores.js';
export type { TileGrid } from './ensemble/tiling.js';
export { Run, type RunStorage } from './ensemble/run.js';
export type { RunConfiguration, ValidationRule } from './ensemble/configuration.js';
export type { EnsembleStatistics, FittedStatistics } from './ensemble/statistics.js';
export type { ScoreStatistics } from './ensemble/normalization.js';
export type { Threshold, ThresholdRule } from './ensemble/thresholds.js';
export { fetchStorage, type FetchStorageOptions } from './ensemble/fetch-storage.js';
export { createBrowserImages, type BrowserImages, type BrowserImagesOptions } from './data/browser-images.js';
export { heatOverlay, type HeatScale } from './report/heat-map.js';
export { heatScale } from './report/heat-scale.js';
export type { ImageReader, ImageSize, ImageWriter, Mask, RgbImage, Sample, ScoreMap } from './data/image.js';

// Vectors without images
export {
  coreset,
  nearest,
  type CoresetOptions,
  type NearestOptions,
  type VectorCoreset,
} from './models/nearest-neighbours.js';

// Models of one's own
export { registerModel } from './models/index.js';
export type { ModelDefinition, ModelOption, ModelOptions } from './models/definition.js';
export type { AnomalyModel, FitProgress, HeadOutputs, ModelSetting, TileSize } from './models/anomaly-model.js';
export { trainedModel, type TrainedModelParts } from './models/training/trained-model.js';
export {
  batchNormLayer,
  constant,
  convolutionLayer,
  heNormal,
  uniformFanIn,
  type ConvolutionLayerOptions,
  type Initial,
  type Network,
} from './models/training/network.js';
export {
  readTrainingOptions,
  trainingOptions,
  type TrainingOptions as ModelTraining,
} from './models/training/options.js';
export { compileTrainingStep, trainingStep, type TrainingPlan, type TrainingStep } from './models/training/step.js';
export type { RandomNumbers } from './models/training/random.js';
export type { AdamOptions, OptimizerOptions, SgdOptions } from './kernels/optimizers/optimizers.js';

// Kernels and graphs of one's own
export {
  Graph,
  type BufferView,
  type Dispatch,
  type Lowering,
  type Node,
  type Operator,
  type Tensor,
  type TensorKind,
  type Variant,
} from './engine/graph.js';
export { foldWorkgroups, type Kernel } from './engine/kernel.js';
export { compile, type Plan, type PlanBytes, type PlanOptions, type Step, type VariantTable } from './engine/plan.js';
export { Program, type DeviceTensor, type ParameterPool, type ProgramOptions } from './engine/program.js';
export { gradients } from './engine/gradients.js';
export type { DType, HostTensor, NamedTensors, Shape } from './engine/tensor.js';
