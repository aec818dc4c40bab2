import type { Tensor } from '../engine/graph.js';
import { add, affine, exp } from '../kernels/elementwise.js';
import { layerNorm } from '../kernels/layer-norm/layer-norm.js';
import { mapPeak } from '../kernels/reduce.js';
import { resize2d } from '../kernels/resize2d.js';
import { rowDot } from '../kernels/rows.js';
import type { AnomalyModel } from './anomaly-model.js';
import type { ModelDefinition } from './definition.js';
import { appendFlow, flowLoss, type FlowOptions, type FlowResult } from './fastflow/flow.js';
import { constant, type Network } from './training/network.js';
import { readTrainingOptions, trainingOptions, type TrainingOptions } from './training/options.js';
import { trainedModel } from './training/trained-model.js';

const layers = ['layer1', 'layer2', 'layer3'] as const;

/** Options of FastFlow. */
export interface FastflowOptions extends FlowOptions {
  readonly training: TrainingOptions;
  /** Added to the gradient, as a multiple of the parameter. */
  readonly weightDecay: number;
}

/** A layer, normalised over the whole map with a trained scale and shift for every element, through its flow. */
function flow(network: Network, feature: Tensor, index: number, options: FlowOptions): FlowResult {
  const name = layers[index] ?? `layer${index + 1}`;
  const shape = feature.shape.slice(1);
  const weight = network.parameter(`${name}.norm.weight`, shape, constant(1));
  const bias = network.parameter(`${name}.norm.bias`, shape, constant(0));
  return appendFlow(network, layerNorm(network.graph, feature, weight, bias), name, options);
}

/**
 * FastFlow (Yu et al. 2021, arXiv 2111.07677): a normalising flow for each of three layers learns the distribution of good
 * features. The anomaly map is 1 − exp(−½ mean of z²) of every layer, resized bilinearly and averaged, between 0 and 1;
 * the score is its maximum.
 */
export function createFastflow(options: FastflowOptions): AnomalyModel {
  return trainedModel({
    name: 'fastflow',
    layers,
    // A scale and shift for every place of the feature maps.
    positionBound: true,
    optimizer: { kind: 'adam', betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: options.weightDecay },
    training: options.training,
    loss(network, features) {
      // Each loss right behind its flow, so that its values need not wait for the other flows.
      const losses = features.map((feature, index) => flowLoss(network, flow(network, feature, index, options)));
      return losses.reduce((sum, loss) => add(network.graph, sum, loss));
    },
    head(network, features, { tile }) {
      const { graph } = network;
      const { height, width } = tile;
      const maps = features.map((feature, index) => {
        const [first, second] = flow(network, feature, index, options).latent;
        const [, mapHeight = 1, mapWidth = 1, firstChannels = 0] = first.shape;
        const channels = firstChannels + (second.shape[3] ?? 0);
        const squares = add(graph, rowDot(graph, first, first), rowDot(graph, second, second));
        const likelihood = exp(graph, affine(graph, squares, -0.5 / channels, 0));
        const grid = graph.reshape(likelihood, [1, mapHeight, mapWidth, 1]);
        return resize2d(graph, grid, { mode: 'bilinear', height, width });
      });
      const sum = maps.reduce((total, map) => add(graph, total, map));
      const map = graph.reshape(affine(graph, sum, -1 / maps.length, 1), [1, height, width]);
      return { map, score: mapPeak(graph, map) };
    },
  });
}

/** FastFlow as the command line and the run folder know it. */
export const fastflow: ModelDefinition = {
  name: 'fastflow',
  summary: 'normalising flows over three layers (Yu et al. 2021), trained by gradients',
  options: [
    { name: 'flow-steps', help: 'coupling steps of each flow', default: 8, minimum: 1, maximum: 64, integer: true },
    {
      name: 'hidden-ratio',
      help: "channels inside a step's network, relative to those it sees",
      default: 1,
      minimum: 0.01,
      maximum: 8,
    },
    {
      name: 'kernels',
      help: '3x3 convolutions in every step, or 3x3 and 1x1 in turn, which is faster',
      default: '3x3',
      choices: ['3x3', 'alternating'],
    },
    {
      name: 'weight-decay',
      help: 'added to the gradient, as a multiple of the parameter',
      default: 1e-5,
      minimum: 0,
      maximum: 1,
    },
    ...trainingOptions({ steps: 200, learningRate: 1e-3 }),
  ],
  create: (options) =>
    createFastflow({
      steps: Number(options['flow-steps']),
      hiddenRatio: Number(options['hidden-ratio']),
      kernels: options['kernels'] === 'alternating' ? 'alternating' : '3x3',
      weightDecay: Number(options['weight-decay']),
      training: readTrainingOptions(options),
    }),
};
