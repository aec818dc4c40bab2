/// <reference types="@webgpu/types" preserve="true" />
/**
 * Tilesight for any platform with WebGPU: the engine, the anomaly models and the tiled ensemble. Nothing in here needs
 * Node; see `tilesight/node` for files, data sets and a device in Node, and `tilesight/operators` for the operators that
 * graphs are made of.
 *
 * A page that uses a trained run needs {@link createGpu}, {@link fetchStorage}, {@link openEnsemble} and
 * {@link createBrowserImages}. The rest is for training, planning, kernels and models of one's own.
 *
 * @packageDocumentation
 */
export { TilesightError, type ErrorKind } from './engine/errors.js';

// The device and its memory
export { createGpu, Gpu, type DeviceBuffer, type GpuCounters, type GpuOptions } from './engine/gpu.js';
export { assumedAdapter, type AdapterClass, type AdapterProfile, type PlanningLimits } from './engine/adapter.js';
export { Accountant, formatBytes, type MemorySample } from './engine/memory.js';

// Using an ensemble
export { openEnsemble, type OpenEnsembleOptions } from './ensemble/open-ensemble.js';
export { TiledEnsemble, type LoadOptions, type Prediction } from './ensemble/ensemble.js';
export type { PredictionInput } from './ensemble/predict.js';
export type { DefectBox } from './ensemble/boxes.js';
export type { ImageScores } from './ensemble/scores.js';
export { Run, type RunStorage } from './ensemble/run.js';
export { fetchStorage, type FetchStorageOptions } from './ensemble/fetch-storage.js';
export { createBrowserImages, type BrowserImages, type BrowserImagesOptions } from './data/browser-images.js';
export { heatOverlay, type HeatScale } from './report/heat-map.js';
export { heatScale } from './report/heat-scale.js';
export type { Dataset, ImageReader, ImageSize, ImageWriter, Mask, RgbImage, Sample, ScoreMap } from './data/image.js';

// Training and evaluating an ensemble
export { planEnsemble, type EnsemblePlan, type PlanRequest, type Residency } from './ensemble/planning.js';
export type { RunConfiguration, ValidationRule } from './ensemble/configuration.js';
export { trainEnsemble, type TrainOptions, type TrainResult } from './ensemble/train.js';
export type { EnsembleProgress, FitReport } from './ensemble/fit.js';
export type { Alignment } from './ensemble/alignment.js';
export type { SpillFile } from './ensemble/image-store.js';
export type { EnsembleStatistics, FittedStatistics } from './ensemble/statistics.js';
export type { ScoreStatistics } from './ensemble/normalization.js';
export type { Threshold, ThresholdRule } from './ensemble/thresholds.js';
export { evaluateEnsemble, type EvaluatedImage, type Evaluation } from './ensemble/evaluate.js';
export type { ImageMetrics, PixelMetrics } from './metrics/summary.js';
export type { Curve } from './metrics/curves.js';
export { tileGrid, type TileGrid, type TileGridOptions } from './ensemble/tiling.js';
export {
  defectKinds,
  generateSample,
  type DefectKind,
  type SampleOptions,
  type SyntheticSample,
} from './data/synthetic.js';

// Models and backbones
export { modelDefinition, modelDefinitions, registerModel } from './models/index.js';
export type { ModelDefinition, ModelOption, ModelOptions } from './models/definition.js';
export type {
  AnomalyModel,
  CheckpointStore,
  FitContext,
  FitJob,
  FitPlan,
  FitProgress,
  FittedPosition,
  Fitter,
  HeadOutputs,
  ModelSetting,
  TileSize,
  TileSource,
} from './models/anomaly-model.js';
export { backboneNames, createBackbone } from './models/backbones/index.js';
export { backboneFeatures, type Backbone, type BackboneLayer } from './models/backbones/backbone.js';
export {
  readBackboneWeights,
  type BackboneWeights,
  type NetworkName,
  type NetworkVariant,
  type Preprocessing,
} from './models/weights/network-weights.js';
export { decodeSafetensors, encodeSafetensors } from './models/weights/safetensors.js';

// Training of models of one's own
export { trainedModel, type TrainedModelParts } from './models/training/trained-model.js';
export {
  batchNormLayer,
  constant,
  convolutionLayer,
  declaringNetwork,
  heNormal,
  initialValues,
  uniformFanIn,
  type ConvolutionLayerOptions,
  type Initial,
  type Network,
  type ParameterDeclaration,
} from './models/training/network.js';
export {
  readTrainingOptions,
  trainingOptions,
  type TrainingOptions as ModelTraining,
} from './models/training/options.js';
export { compileTrainingStep, trainingStep, type TrainingPlan, type TrainingStep } from './models/training/step.js';
export type { RandomNumbers } from './models/training/random.js';
export type { AdamOptions, OptimizerOptions, SgdOptions } from './kernels/optimizers/optimizers.js';

// The engine, for operators and models of one's own
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
export { ParameterPool, Program, type DeviceTensor, type ProgramOptions } from './engine/program.js';
export { gradients } from './engine/gradients.js';
export { type PlannedBuffer } from './engine/layout.js';
export { recomputeForward, type Recomputation } from './engine/recompute.js';
export { chromeTrace, Profiler, summarise, type Span } from './engine/profiler.js';
export type { DType, HostTensor, NamedTensors, Shape } from './engine/tensor.js';
