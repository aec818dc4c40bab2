import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { TilesightError } from '../../engine/errors.js';
import { Graph, type Tensor } from '../../engine/graph.js';
import type { Shape } from '../../engine/tensor.js';
import { gatherFeatures } from '../../kernels/gather-channels.js';
import type { ModelSetting } from '../anomaly-model.js';
import { backboneFeatures, backboneLayer } from '../backbones/backbone.js';
import type { NetworkName } from '../weights/network-weights.js';

/** Layers of the embedding, shallowest first. */
export const embeddingLayers = ['layer1', 'layer2', 'layer3'] as const;

/** Channels taken of a backbone's embedding when the user names no number: those of the paper and of its followers. */
const usualDimensions: Readonly<Record<NetworkName, number>> = {
  resnet18: 100,
  resnet50: 550,
  'wide-resnet50-2': 550,
  'mobilenet-v2': 100,
};

/** The embedding of a setting: a grid of positions with as many channels as are taken. */
export interface Embedding {
  /** Positions on each axis: those of the first layer. */
  readonly height: number;
  readonly width: number;
  /** Channels taken, as indices into the concatenated layers, in the order of a seeded permutation. */
  readonly channels: readonly number[];
}

/**
 * Which positions and channels a setting's embedding has. The channels are the beginning of a permutation that depends on
 * the seed alone, so every tile position takes the same.
 *
 * @param dimensions how many channels; 0 for the backbone's usual number.
 */
export function embeddingOf(setting: ModelSetting, dimensions: number): Embedding {
  const { backbone, tile, seed } = setting;
  const total = embeddingLayers.reduce((sum, name) => sum + backboneLayer(backbone, name).channels, 0);
  if (dimensions > total) {
    throw new TilesightError(
      'usage',
      `--padim.dimensions ${dimensions}: the layers of ${backbone.name} have ${total} channels together, give at most ${total}`,
    );
  }
  const count = dimensions > 0 ? dimensions : Math.min(usualDimensions[backbone.name], total);
  const [, height = 0, width = 0] = firstLayerShape(setting);
  if (height < 1 || width < 1) throw new Error(`${backbone.name} has no ${embeddingLayers[0]} at ${tile.height}`);
  return { height, width, channels: permutation(total, seed).slice(0, count) };
}

/** Appends the embedding `[B, height · width, channels]` to the backbone's feature maps. */
export function appendEmbedding(graph: Graph, taps: readonly Tensor[], embedding: Embedding): Tensor {
  return gatherFeatures(graph, taps, embedding);
}

/** Shape of the first layer, asked of the graph itself: rounding differs between networks. */
function firstLayerShape({ backbone, tile }: ModelSetting): Shape {
  const graph = new Graph('shapes');
  const pixels = graph.input('pixels', [1, tile.height, tile.width, 3], 'u8x4');
  return backboneFeatures(graph, backbone, pixels, [embeddingLayers[0]])[0]?.shape ?? [];
}

/** The numbers below `count` in a random order (Fisher–Yates). */
export function permutation(count: number, seed: number): number[] {
  const order = Array.from({ length: count }, (_, index) => index);
  const generator = xoroshiro128plus(seed);
  for (let last = count - 1; last > 0; last--) {
    const other = uniformInt(generator, 0, last);
    const [a = 0, b = 0] = [order[last], order[other]];
    order[last] = b;
    order[other] = a;
  }
  return order;
}
