import type { Tensor } from '../../engine/graph.js';
import { convTranspose2d } from '../../kernels/conv2d/gradients/input.js';
import { add, relu } from '../../kernels/elementwise.js';
import { batchNormLayer, convolutionLayer, heNormal, uniformFanIn, type Network } from './network.js';

/** Convolution without bias, batch norm. */
export function convolutionNorm(
  network: Network,
  x: Tensor,
  name: string,
  outChannels: number,
  { kernel, stride = 1 }: { readonly kernel: number; readonly stride?: number },
): Tensor {
  const sum = convolutionLayer(network, x, `${name}.conv`, outChannels, {
    kernel,
    stride,
    bias: false,
    initial: heNormal,
  });
  return batchNormLayer(network, sum, `${name}.norm`);
}

/** Transposed 2×2 convolution of stride 2 without bias, batch norm: doubles the resolution. */
function upsampleNorm(network: Network, x: Tensor, name: string, outChannels: number): Tensor {
  const inChannels = x.shape.at(-1) ?? 0;
  const weight = network.parameter(
    `${name}.conv.weight`,
    [2, 2, outChannels, inChannels],
    uniformFanIn(4 * outChannels),
  );
  return batchNormLayer(network, convTranspose2d(network.graph, x, weight, { stride: 2 }), `${name}.norm`);
}

/** How a residual block is made. */
export interface ResidualBlockOptions {
  /** Channels inside; a bottleneck gives four times as many, or `outChannels`. */
  readonly planes: number;
  readonly bottleneck: boolean;
  /** Channels between the convolutions of a bottleneck, relative to `planes`. Default 1. */
  readonly widening?: number;
  /** What the block does to the resolution. */
  readonly scale: 'keep' | 'halve' | 'double';
}

/**
 * A residual block with batch norms (He et al. 2015): two 3×3 convolutions, or a bottleneck of 1×1, 3×3 and 1×1. To double
 * the resolution its first 3×3 convolution is a transposed 2×2 one, as in the decoder of Reverse Distillation.
 */
export function residualBlock(network: Network, x: Tensor, name: string, options: ResidualBlockOptions): Tensor {
  const { graph } = network;
  const { planes, bottleneck, widening = 1, scale } = options;
  const outChannels = bottleneck ? 4 * planes : planes;
  const width = bottleneck ? planes * widening : planes;
  const scaled = (input: Tensor, part: string, channels: number): Tensor =>
    scale === 'double'
      ? upsampleNorm(network, input, `${name}.${part}`, channels)
      : convolutionNorm(network, input, `${name}.${part}`, channels, { kernel: 3, stride: scale === 'halve' ? 2 : 1 });
  let inner: Tensor;
  if (bottleneck) {
    inner = relu(graph, convolutionNorm(network, x, `${name}.1`, width, { kernel: 1 }));
    inner = relu(graph, scaled(inner, '2', width));
    inner = convolutionNorm(network, inner, `${name}.3`, outChannels, { kernel: 1 });
  } else {
    inner = relu(graph, scaled(x, '1', width));
    inner = convolutionNorm(network, inner, `${name}.2`, outChannels, { kernel: 3 });
  }
  let shortcut = x;
  if (scale === 'double') shortcut = upsampleNorm(network, x, `${name}.shortcut`, outChannels);
  else if (scale === 'halve' || x.shape.at(-1) !== outChannels) {
    const stride = scale === 'halve' ? 2 : 1;
    shortcut = convolutionNorm(network, x, `${name}.shortcut`, outChannels, { kernel: 1, stride });
  }
  return relu(graph, add(graph, inner, shortcut));
}

/** In what the ResNets that models are mirrored on differ. */
export interface ResnetFamily {
  readonly bottleneck: boolean;
  readonly widening: number;
  /** Residual blocks of layer1 to layer3. */
  readonly blocks: readonly [number, number, number];
}

/** The ResNets that have a student or decoder. */
export const resnetFamilies: ReadonlyMap<string, ResnetFamily> = new Map([
  ['resnet18', { bottleneck: false, widening: 1, blocks: [2, 2, 2] }],
  ['resnet50', { bottleneck: true, widening: 1, blocks: [3, 4, 6] }],
  ['wide-resnet50-2', { bottleneck: true, widening: 2, blocks: [3, 4, 6] }],
]);
