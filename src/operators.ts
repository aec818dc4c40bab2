/**
 * The operators that graphs are made of: each appends a node to a {@link Graph} and returns its output. Images and
 * features are NHWC. Those with a gradient rule can be trained through with `gradients`.
 *
 * @packageDocumentation
 */
export {
  abs,
  add,
  affine,
  channelScale,
  channelShift,
  clampMin,
  divide,
  exp,
  log,
  multiply,
  negate,
  relu,
  relu6,
  scaleBy,
  sigmoid,
  softplus,
  sqrt,
  square,
  subtract,
  tanh,
} from './kernels/elementwise.js';
export { conv2d } from './kernels/conv2d/conv2d.js';
export { convTranspose2d } from './kernels/conv2d/gradients/input.js';
export type { Conv2dOptions, Padding } from './kernels/conv2d/shape.js';
export { addBias } from './kernels/epilogue.js';
export { batchNorm, type BatchNormParameters } from './kernels/batch-norm.js';
export { batchNormTraining } from './kernels/batch-norm-training/batch-norm-training.js';
export { layerNorm } from './kernels/layer-norm/layer-norm.js';
export { affineCoupling, mixChannels } from './kernels/coupling/coupling.js';
export { matmul, type MatmulOptions } from './kernels/matmul/matmul.js';
export { pool2d, type Pool2dOptions } from './kernels/pool2d.js';
export { resize2d, type Resize2dOptions } from './kernels/resize2d.js';
export { gaussianBlur } from './kernels/gaussian-blur.js';
export { concat, slice, split } from './kernels/concat.js';
export { expand, expandChannels } from './kernels/expand.js';
export { gatherChannels, permuteChannels } from './kernels/gather-channels.js';
export { channelSum } from './kernels/channel-sum.js';
export { mapPeak, reduce, type ReduceOperation } from './kernels/reduce.js';
export { argmax } from './kernels/argmax.js';
export { cosineSimilarity, l2Normalize, rowDot, scaleRows } from './kernels/rows.js';
export { mahalanobis } from './kernels/mahalanobis/mahalanobis.js';
export { normalizeImage, type NormalizeImageOptions } from './kernels/normalize-image.js';
export type { Graph, Tensor } from './engine/graph.js';
