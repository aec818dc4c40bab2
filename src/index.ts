/**
 * Tilesight for any platform with WebGPU: the engine, the kernels, the anomaly models and the tiled ensemble. Nothing in
 * here needs Node; see `tilesight/node` for files, data sets and a device in Node.
 *
 * @packageDocumentation
 */
export { TilesightError, type ErrorKind } from './engine/errors.js';
export { createGpu, Gpu, type GpuOptions } from './engine/gpu.js';
export { assumedAdapter, type AdapterProfile } from './engine/adapter.js';
export { Accountant, formatBytes, parseBytes } from './engine/memory.js';
export { Graph, type Dispatch, type Lowering, type Node, type Operator, type Tensor } from './engine/graph.js';
export { foldWorkgroups, type Kernel } from './engine/kernel.js';
export { compile, type Plan, type PlanOptions } from './engine/plan.js';
export { ParameterPool, Program, type DeviceTensor } from './engine/program.js';
export { chromeTrace, Profiler, summarise, type Span } from './engine/profiler.js';
export { gradients } from './engine/gradients.js';
export type { DType, HostTensor, NamedTensors, Shape } from './engine/tensor.js';

export type { AnomalyModel, FitJob, Fitter, ModelSetting, TileSource } from './models/anomaly-model.js';
export type { ModelDefinition, ModelOption, ModelOptions } from './models/definition.js';
export { modelDefinition, modelDefinitions } from './models/index.js';
export { backboneNames, createBackbone } from './models/backbones/index.js';
export { backboneFeatures, type Backbone } from './models/backbones/backbone.js';
export { readBackboneWeights, type BackboneWeights } from './models/weights/network-weights.js';
export { decodeSafetensors, encodeSafetensors } from './models/weights/safetensors.js';

export { TiledEnsemble, type LoadOptions, type Prediction } from './ensemble/ensemble.js';
export { trainEnsemble, type TrainOptions, type TrainResult } from './ensemble/train.js';
export { evaluateEnsemble, type Evaluation } from './ensemble/evaluate.js';
export { planEnsemble, type EnsemblePlan, type PlanRequest } from './ensemble/planning.js';
export { Run, type RunStorage } from './ensemble/run.js';
export type { RunConfiguration } from './ensemble/configuration.js';
export { tileGrid, cutTile, type TileGrid } from './ensemble/tiling.js';

export type { Dataset, ImageReader, ImageSize, Mask, RgbImage, Sample, ScoreMap } from './data/image.js';
export { generateSample, writeSynthetic } from './data/synthetic.js';
export { heatOverlay, type HeatScale } from './report/heat-map.js';
export { heatScale } from './report/heat-scale.js';
