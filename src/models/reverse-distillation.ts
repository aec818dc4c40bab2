import { TilesightError } from '../engine/errors.js';
import type { Tensor } from '../engine/graph.js';
import { concat } from '../kernels/concat.js';
import { add, affine, clampMin, divide, multiply, relu, sqrt, square } from '../kernels/elementwise.js';
import { gaussianBlur } from '../kernels/gaussian-blur.js';
import { mapPeak, reduce } from '../kernels/reduce.js';
import { resize2d } from '../kernels/resize2d.js';
import { cosineSimilarity } from '../kernels/rows.js';
import type { AnomalyModel, ModelSetting } from './anomaly-model.js';
import type { ModelDefinition } from './definition.js';
import type { Network } from './training/network.js';
import { readTrainingOptions, trainingOptions, type TrainingOptions } from './training/options.js';
import { convolutionNorm, residualBlock, resnetFamilies, type ResnetFamily } from './training/resnet-blocks.js';
import { trainedModel } from './training/trained-model.js';

const layers = ['layer1', 'layer2', 'layer3'] as const;

/** Options of Reverse Distillation. */
export interface ReverseDistillationOptions {
  readonly training: TrainingOptions;
  readonly betas: readonly [number, number];
  /** `pixel`: one cosine a pixel, averaged; `image`: features flattened to one cosine an image and layer. */
  readonly loss: 'pixel' | 'image';
  /** How the maps of the layers are joined. */
  readonly map: 'add' | 'multiply';
  /** Standard deviation of the blur of the anomaly map, in pixels. */
  readonly sigma: number;
}

function familyOf({ backbone, tile }: ModelSetting): ResnetFamily {
  const family = resnetFamilies.get(backbone.name);
  if (!family) {
    const known = [...resnetFamilies.keys()].join(' or ');
    throw new TilesightError(
      'usage',
      `reverse-distillation has no decoder for ${backbone.name}: use --backbone ${known}`,
    );
  }
  if (tile.height % 32 !== 0 || tile.width % 32 !== 0) {
    throw new TilesightError(
      'usage',
      `reverse-distillation halves a tile five times: --tile-size ${tile.height}x${tile.width} must be a multiple of 32`,
    );
  }
  return family;
}

/** Channels inside the blocks of layer1. */
function basePlanes(shallow: Tensor, family: ResnetFamily): number {
  return (shallow.shape[3] ?? 0) / (family.bottleneck ? 4 : 1);
}

/** The one-class bottleneck embedding: three layers brought to the size of the deepest, joined, and halved once more. */
function bottleneck(network: Network, features: readonly Tensor[], family: ResnetFamily): Tensor {
  const { graph } = network;
  const [shallow, middle, deep] = features;
  if (!shallow || !middle || !deep) throw new Error('Reverse Distillation wants three layers of its teacher');
  const channels = deep.shape[3] ?? 0;
  const halve = (x: Tensor, name: string, outChannels: number): Tensor =>
    relu(graph, convolutionNorm(network, x, `bottleneck.${name}`, outChannels, { kernel: 3, stride: 2 }));
  const joined = concat(graph, [
    halve(halve(shallow, 'shallow1', channels / 2), 'shallow2', channels),
    halve(middle, 'middle', channels),
    deep,
  ]);
  let x = joined;
  // As wide as layer4 of the plain network, even for the wide one.
  for (let block = 0; block < (family.bottleneck ? 3 : 2); block++) {
    const scale = block === 0 ? 'halve' : 'keep';
    x = residualBlock(network, x, `bottleneck.${block}`, {
      bottleneck: family.bottleneck,
      planes: 8 * basePlanes(shallow, family),
      scale,
    });
  }
  return x;
}

/** What the decoder makes of the embedding: the teacher's layers again, shallowest first. */
function decoder(network: Network, embedding: Tensor, family: ResnetFamily, base: number): Tensor[] {
  const outputs: Tensor[] = [];
  let x = embedding;
  for (const [index, planes] of [4 * base, 2 * base, base].entries()) {
    // The deepest stage mirrors layer1's number of blocks.
    for (let block = 0; block < (family.blocks[index] ?? 0); block++) {
      const scale = block === 0 ? 'double' : 'keep';
      x = residualBlock(network, x, `decoder.${index}.${block}`, { ...family, planes, scale });
    }
    outputs.unshift(x);
  }
  return outputs;
}

function reconstructions(network: Network, features: readonly Tensor[], setting: ModelSetting): Tensor[] {
  const family = familyOf(setting);
  const [shallow] = features;
  if (!shallow) throw new Error('Reverse Distillation wants three layers of its teacher');
  return decoder(network, bottleneck(network, features, family), family, basePlanes(shallow, family));
}

/** Mean of 1 − cosine between the features of each image, flattened. */
function imageLoss(network: Network, teacher: Tensor, student: Tensor): Tensor {
  const { graph } = network;
  const total = (x: Tensor): Tensor => reduce(graph, x, { operation: 'sum', over: 'perImage' });
  const length = (x: Tensor): Tensor => sqrt(graph, clampMin(graph, total(square(graph, x)), 1e-16));
  const product = total(multiply(graph, teacher, student));
  const cosines = divide(graph, product, multiply(graph, length(teacher), length(student)));
  return affine(graph, reduce(graph, cosines, { operation: 'mean', over: 'all' }), -1, 1);
}

/**
 * Reverse Distillation (Deng and Li 2022, arXiv 2201.10703): a bottleneck squeezes the teacher's layers and a decoder, the
 * teacher turned round, makes them again; it learns to on good images. The anomaly map is 1 − cosine between the layers,
 * resized bilinearly (corner on corner), added or multiplied, and blurred; the score is its maximum.
 */
export function createReverseDistillation(options: ReverseDistillationOptions): AnomalyModel {
  return trainedModel({
    name: 'reverse-distillation',
    layers,
    optimizer: { kind: 'adam', betas: options.betas, epsilon: 1e-8, weightDecay: 0 },
    training: options.training,
    loss(network, features, setting) {
      const { graph } = network;
      const losses = reconstructions(network, features, setting).map((made, index) => {
        const teacher = features[index] ?? made;
        if (options.loss === 'image') return imageLoss(network, teacher, made);
        const mean = reduce(graph, cosineSimilarity(graph, teacher, made), { operation: 'mean', over: 'all' });
        return affine(graph, mean, -1, 1);
      });
      return losses.reduce((sum, loss) => add(graph, sum, loss));
    },
    head(network, features, setting) {
      const { graph } = network;
      const { height, width } = setting.tile;
      const maps = reconstructions(network, features, setting).map((made, index) => {
        const [, mapHeight = 1, mapWidth = 1] = made.shape;
        const distance = affine(graph, cosineSimilarity(graph, features[index] ?? made, made), -1, 1);
        // Rounding may take a cosine above 1.
        const grid = graph.reshape(clampMin(graph, distance, 0), [1, mapHeight, mapWidth, 1]);
        return resize2d(graph, grid, { mode: 'bilinear', alignCorners: true, height, width });
      });
      const joined = maps.reduce((all, map) =>
        options.map === 'multiply' ? multiply(graph, all, map) : add(graph, all, map),
      );
      const blurred = options.sigma > 0 ? gaussianBlur(graph, joined, { sigma: options.sigma }) : joined;
      const map = graph.reshape(blurred, [1, height, width]);
      return { map, score: mapPeak(graph, map) };
    },
  });
}

/** Reverse Distillation as the command line and the run folder know it. */
export const reverseDistillation: ModelDefinition = {
  name: 'reverse-distillation',
  summary: "a decoder makes the backbone's features again (Deng and Li 2022), trained by gradients",
  options: [
    {
      name: 'loss',
      help: 'one cosine a pixel, or one an image and layer',
      default: 'pixel',
      choices: ['pixel', 'image'],
    },
    { name: 'map', help: 'how the maps of the layers are joined', default: 'multiply', choices: ['add', 'multiply'] },
    { name: 'sigma', help: 'blur of the anomaly map in pixels; 0 for none', default: 4, minimum: 0, maximum: 64 },
    { name: 'beta1', help: "decay of Adam's running mean of gradients", default: 0.5, minimum: 0, maximum: 0.9999 },
    {
      name: 'beta2',
      help: "decay of Adam's running mean of squared gradients",
      default: 0.999,
      minimum: 0,
      maximum: 0.99999,
    },
    ...trainingOptions({ steps: 200, learningRate: 5e-3 }),
  ],
  create: (options) =>
    createReverseDistillation({
      loss: options['loss'] === 'image' ? 'image' : 'pixel',
      map: options['map'] === 'add' ? 'add' : 'multiply',
      sigma: Number(options['sigma']),
      betas: [Number(options['beta1']), Number(options['beta2'])],
      training: readTrainingOptions(options),
    }),
};
