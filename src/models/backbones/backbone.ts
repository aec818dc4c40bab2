import type { Graph, Tensor } from '../../engine/graph.js';
import { TilesightError } from '../../engine/errors.js';
import { normalizeImage } from '../../kernels/normalize-image.js';
import type { BackboneWeights, NetworkName } from '../weights/network-weights.js';

/** A layer that a backbone offers to anomaly models. */
export interface BackboneLayer {
  readonly name: string;
  readonly channels: number;
  /** Pixels of the input that one feature stands for, on each axis. */
  readonly stride: number;
}

/** A frozen network that turns images into feature maps. */
export interface Backbone {
  readonly name: NetworkName;
  readonly layers: readonly BackboneLayer[];
  /** Undefined when only planning: shapes are known without weights. */
  readonly weights: BackboneWeights | undefined;
  /** Appends the network up to the deepest wanted layer; gives one NHWC feature map a wanted layer. */
  build(graph: Graph, image: Tensor, wanted: readonly string[]): Tensor[];
}

/** Appends preprocessing (which belongs to the weights) and the network to 8-bit pixels `[B, h, w, 3]`. */
export function backboneFeatures(
  graph: Graph,
  backbone: Backbone,
  pixels: Tensor,
  wanted: readonly string[],
): Tensor[] {
  const known = backbone.layers.map((layer) => layer.name);
  const unknown = wanted.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new TilesightError('usage', `backbone ${backbone.name} has no layer ${unknown}: it has ${known.join(', ')}`);
  }
  return backbone.build(graph, backboneImage(graph, backbone, pixels), wanted);
}

/** Appends the preprocessing alone: 8-bit pixels `[B, h, w, 3]` to what the network takes. */
export function backboneImage(graph: Graph, backbone: Backbone, pixels: Tensor): Tensor {
  const preprocessing = backbone.weights?.preprocessing ?? {
    mean: [0.485, 0.456, 0.406],
    std: [0.229, 0.224, 0.225],
    channelOrder: 'rgb',
    scale: 1 / 255,
  };
  return normalizeImage(graph, pixels, preprocessing);
}

/** The named layer. */
export function backboneLayer(backbone: Backbone, name: string): BackboneLayer {
  const layer = backbone.layers.find((candidate) => candidate.name === name);
  if (!layer) throw new TilesightError('usage', `backbone ${backbone.name} has no layer ${name}`);
  return layer;
}
