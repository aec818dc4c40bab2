import { TilesightError } from '../engine/errors.js';
import type { Tensor } from '../engine/graph.js';
import { add, affine, multiply, relu, square, subtract } from '../kernels/elementwise.js';
import { pool2d } from '../kernels/pool2d.js';
import { mapPeak, reduce } from '../kernels/reduce.js';
import { resize2d } from '../kernels/resize2d.js';
import { l2Normalize, rowDot } from '../kernels/rows.js';
import type { AnomalyModel, ModelSetting } from './anomaly-model.js';
import { backboneImage } from './backbones/backbone.js';
import type { ModelDefinition } from './definition.js';
import type { Network } from './training/network.js';
import { readTrainingOptions, trainingOptions, type TrainingOptions } from './training/options.js';
import { convolutionNorm, residualBlock, resnetFamilies, type ResnetFamily } from './training/resnet-blocks.js';
import { trainedModel } from './training/trained-model.js';

const layers = ['layer1', 'layer2', 'layer3'] as const;

/** Options of STFPM. */
export interface StfpmOptions {
  readonly training: TrainingOptions;
  readonly momentum: number;
  /** Added to the gradient, as a multiple of the parameter. */
  readonly weightDecay: number;
}

function familyOf({ backbone }: ModelSetting): ResnetFamily {
  const family = resnetFamilies.get(backbone.name);
  if (family) return family;
  const known = [...resnetFamilies.keys()].join(', ');
  throw new TilesightError(
    'usage',
    `stfpm has no student of the shape of ${backbone.name}: use --backbone ${known.replaceAll(', ', ' or ')}`,
  );
}

/** The student: a ResNet up to layer3 with first weights of its own, and its three layers. */
function student(network: Network, image: Tensor, family: ResnetFamily, base: number): Tensor[] {
  const { graph } = network;
  let x = relu(graph, convolutionNorm(network, image, 'stem', base, { kernel: 7, stride: 2 }));
  x = pool2d(graph, x, { mode: 'max', kernel: 3, stride: 2, padding: 1 });
  return layers.map((layer, index) => {
    const planes = base * 2 ** index;
    for (let block = 0; block < (family.blocks[index] ?? 0); block++) {
      const scale = index > 0 && block === 0 ? 'halve' : 'keep';
      x = residualBlock(network, x, `${layer}.${block}`, { ...family, planes, scale });
    }
    return x;
  });
}

/** Distances of the layers' features, all of length 1 a pixel: teacher's minus student's, `[B, h, w, c]` each. */
function differences(network: Network, features: readonly Tensor[], setting: ModelSetting): Tensor[] {
  const { graph } = network;
  const [image, ...teacher] = features;
  if (!image) throw new Error('STFPM wants the image');
  const family = familyOf(setting);
  const base = (teacher[0]?.shape[3] ?? 0) / (family.bottleneck ? 4 : 1);
  return student(network, image, family, base).map((layer, index) => {
    const taught = teacher[index];
    if (!taught) throw new Error('STFPM wants three layers of its teacher');
    return subtract(graph, l2Normalize(graph, taught), l2Normalize(graph, layer));
  });
}

/**
 * STFPM (Wang et al. 2021, arXiv 2103.04257): a student network of the backbone's shape learns the backbone's features on
 * good images. The anomaly map is the product over layers of half the squared distance of the normalised features, each
 * resized bilinearly; the score is its maximum.
 */
export function createStfpm(options: StfpmOptions): AnomalyModel {
  return trainedModel({
    name: 'stfpm',
    layers,
    optimizer: { kind: 'sgd', momentum: options.momentum, weightDecay: options.weightDecay },
    training: options.training,
    features: (graph, taps, setting, pixels) => [backboneImage(graph, setting.backbone, pixels), ...taps],
    loss(network, features, setting) {
      const { graph } = network;
      const losses = differences(network, features, setting).map((difference) => {
        const [, height = 1, width = 1] = difference.shape;
        const sum = reduce(graph, square(graph, difference), { operation: 'sum', over: 'all' });
        return affine(graph, sum, 0.5 / (height * width), 0);
      });
      return losses.reduce((sum, loss) => add(graph, sum, loss));
    },
    head(network, features, setting) {
      const { graph } = network;
      const { height, width } = setting.tile;
      const maps = differences(network, features, setting).map((difference) => {
        const [, mapHeight = 1, mapWidth = 1] = difference.shape;
        const half = affine(graph, rowDot(graph, difference, difference), 0.5, 0);
        const grid = graph.reshape(half, [1, mapHeight, mapWidth, 1]);
        return resize2d(graph, grid, { mode: 'bilinear', height, width });
      });
      const product = maps.reduce((all, map) => multiply(graph, all, map));
      const map = graph.reshape(product, [1, height, width]);
      return { map, score: mapPeak(graph, map) };
    },
  });
}

/** STFPM as the command line and the run folder know it. */
export const stfpm: ModelDefinition = {
  name: 'stfpm',
  summary: "a student learns the backbone's features on good images (Wang et al. 2021), trained by gradients",
  options: [
    { name: 'momentum', help: 'momentum of gradient descent', default: 0.9, minimum: 0, maximum: 1 },
    {
      name: 'weight-decay',
      help: 'added to the gradient, as a multiple of the parameter',
      default: 1e-4,
      minimum: 0,
      maximum: 1,
    },
    ...trainingOptions({ steps: 200, learningRate: 0.4 }),
  ],
  create: (options) =>
    createStfpm({
      momentum: Number(options['momentum']),
      weightDecay: Number(options['weight-decay']),
      training: readTrainingOptions(options),
    }),
};
