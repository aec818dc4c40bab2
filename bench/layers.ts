import { Graph, type Node, type Tensor } from '../src/engine/graph.js';
import type { HostTensor } from '../src/engine/tensor.js';
import type { Conv2dShape } from '../src/kernels/conv2d/shape.js';
import type { Backbone } from '../src/models/backbones/backbone.js';

/** Pixels around an image. */
export interface Margin {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/** A layer of a network, free of any runtime: what the peers' graphs are written from. Values are known by number. */
export type Layer =
  | {
      readonly kind: 'convolution';
      readonly input: number;
      readonly output: number;
      /** [height, width, in / groups, out], batch norm folded in. */
      readonly weight: HostTensor;
      readonly bias: HostTensor;
      readonly stride: readonly [number, number];
      readonly padding: Margin;
      readonly groups: number;
      readonly activation: Activation;
    }
  | {
      readonly kind: 'max-pool';
      readonly input: number;
      readonly output: number;
      readonly window: number;
      readonly stride: number;
      /** Wide enough at the bottom and right that the output size needs no rounding up. */
      readonly padding: Margin;
    }
  | {
      readonly kind: 'add';
      readonly input: number;
      readonly other: number;
      readonly output: number;
      readonly activation: Activation;
    };

/** What follows a layer at once, which runtimes can fuse. */
export type Activation = 'none' | 'relu' | 'relu6';

/** A network as the peers are given it. */
export interface Layers {
  readonly name: string;
  /** [batch, height, width, channels] of value 0, the input. */
  readonly inputShape: readonly [number, number, number, number];
  readonly layers: readonly Layer[];
  /** Values to read back, with their NHWC shapes. */
  readonly taps: readonly { readonly value: number; readonly shape: readonly number[] }[];
}

/**
 * Takes a backbone's own graph apart into layers, so that the peers compute the same network with the same weights by
 * construction.
 */
export function backboneLayers(backbone: Backbone, wanted: readonly string[], batch: number, size: number): Layers {
  const graph = new Graph(backbone.name);
  const image = graph.input('image', [batch, size, size, 3]);
  const taps = backbone.build(graph, image, wanted);
  const numbers = new Map<Tensor, number>([[image, 0]]);
  const layers: Layer[] = [];
  const consumed = new Set<Node>();
  const followers = (tensor: Tensor): Node[] => graph.nodes.filter((node) => node.inputs.includes(tensor));
  const only = (tensor: Tensor): Node | undefined => {
    const nodes = followers(tensor);
    return nodes.length === 1 && !taps.includes(tensor) ? nodes[0] : undefined;
  };
  const number = (tensor: Tensor | undefined): number => {
    const known = tensor && numbers.get(tensor);
    if (known === undefined) throw new Error(`${backbone.name}: a layer reads ${tensor?.name} before it is computed`);
    return known;
  };
  const declare = (tensor: Tensor): number => {
    numbers.set(tensor, numbers.size);
    return numbers.size - 1;
  };
  const activated = (tensor: Tensor): { result: Tensor; activation: Activation } => {
    const next = only(tensor);
    const name = next?.operator.name;
    if (!next || (name !== 'relu' && name !== 'relu6')) return { result: tensor, activation: 'none' };
    consumed.add(next);
    return { result: firstOf(next.outputs), activation: name };
  };
  for (const node of graph.nodes) {
    if (consumed.has(node)) continue;
    const [input, second] = node.inputs;
    const output = firstOf(node.outputs);
    switch (node.operator.name) {
      case 'conv2d': {
        const { shape } = node.attributes as { readonly shape: Conv2dShape };
        const biasNode = only(output);
        if (biasNode?.operator.name !== 'add-bias') throw new Error(`${backbone.name}: a convolution has no bias`);
        consumed.add(biasNode);
        const { result, activation } = activated(firstOf(biasNode.outputs));
        layers.push({
          kind: 'convolution',
          input: number(input),
          output: declare(result),
          weight: contents(second),
          bias: contents(biasNode.inputs[1]),
          stride: [shape.strideY, shape.strideX],
          padding: shape.padding,
          groups: shape.groups,
          activation,
        });
        break;
      }
      case 'pool2d': {
        const { kernel, stride, padding } = node.attributes as { kernel: number; stride: number; padding: Margin };
        const reach = (size = 0, from: number, count = 0): number => (count - 1) * stride + kernel - size - from;
        layers.push({
          kind: 'max-pool',
          input: number(input),
          output: declare(output),
          window: kernel,
          stride,
          padding: {
            top: padding.top,
            left: padding.left,
            bottom: Math.max(0, reach(input?.shape[1], padding.top, output.shape[1])),
            right: Math.max(0, reach(input?.shape[2], padding.left, output.shape[2])),
          },
        });
        break;
      }
      case 'add': {
        const { result, activation } = activated(output);
        layers.push({
          kind: 'add',
          input: number(input),
          other: number(second),
          output: declare(result),
          activation,
        });
        break;
      }
      default:
        throw new Error(`${backbone.name}: no layer is known for ${node.operator.name}`);
    }
  }
  return {
    name: backbone.name,
    inputShape: [batch, size, size, 3],
    layers,
    taps: taps.map((tap) => ({ value: number(tap), shape: tap.shape })),
  };
}

/**
 * Terms that stand one behind the other on the longest way from the input to each tap: what the scaled bound of a deep
 * network counts. A convolution adds the length of its sums.
 */
export function accumulatedTerms({ layers, taps }: Layers): number[] {
  const terms = new Map<number, number>([[0, 0]]);
  const before = (value: number): number => terms.get(value) ?? 0;
  for (const layer of layers) {
    let own = before(layer.input);
    if (layer.kind === 'convolution')
      own += layer.weight.shape.slice(0, 3).reduce((product, size) => product * size, 1);
    if (layer.kind === 'add') own = Math.max(own, before(layer.other)) + 1;
    terms.set(layer.output, own);
  }
  return taps.map(({ value }) => before(value));
}

function contents(tensor: Tensor | undefined): HostTensor {
  const found = tensor?.contents?.();
  if (!found) throw new Error(`${tensor?.name}: no contents`);
  return found;
}

function firstOf(tensors: readonly Tensor[]): Tensor {
  const [first] = tensors;
  if (!first) throw new Error('a node without output');
  return first;
}
