import type { Tensor } from '../../engine/graph.js';
import { affineCoupling, mixChannels } from '../../kernels/coupling/coupling.js';
import { add, affine, log, relu, softplus, square } from '../../kernels/elementwise.js';
import { slice } from '../../kernels/concat.js';
import { reduce } from '../../kernels/reduce.js';
import { constant, convolutionLayer, type Network } from '../training/network.js';
import { permutation } from '../training/random.js';

/** How a flow is built. */
export interface FlowOptions {
  /** Coupling steps. */
  readonly steps: number;
  /** Channels between the two convolutions of a step, relative to those of its first half. */
  readonly hiddenRatio: number;
  /** `3x3` in every step, or 3×3 and 1×1 in turn. */
  readonly kernels: '3x3' | 'alternating';
}

/** Softplus with beta 0.5 of this is 10, and a tenth of that is a scale of 1. */
const initialGain = 2 * Math.log(Math.exp(5) - 1);

/** What a flow makes of a feature map. */
export interface FlowResult {
  /** The latent, as its two halves of channels `[B, h, w, c − c/2]` and `[B, h, w, c/2]`. */
  readonly latent: readonly [Tensor, Tensor];
  /** Logarithm of the determinant, summed over the batch, `[1]`. */
  readonly logDeterminant: Tensor;
}

/**
 * FastFlow's normalising flow (Yu et al. 2021, arXiv 2111.07677): each step scales and shifts one half of the channels by
 * what a small convolutional network says of the other (with the scale softly clamped), then scales, shifts and permutes
 * all channels.
 *
 * @param x `[B, h, w, c]`.
 */
export function appendFlow(network: Network, x: Tensor, name: string, options: FlowOptions): FlowResult {
  const { graph } = network;
  const [batch = 1, height = 1, width = 1, channels = 0] = x.shape;
  const second = channels >> 1;
  const first = channels - second;
  let halves: readonly [Tensor, Tensor] = [slice(graph, x, 0, first), slice(graph, x, first, channels)];
  let logDeterminant: Tensor | undefined;
  const gather = (term: Tensor): void => {
    logDeterminant = logDeterminant ? add(graph, logDeterminant, term) : term;
  };
  for (let step = 0; step < options.steps; step++) {
    const prefix = `${name}.step${step}`;
    const kernel = options.kernels === 'alternating' && step % 2 === 1 ? 1 : 3;
    const hidden = Math.max(1, Math.floor(first * options.hiddenRatio));
    const inner = relu(graph, convolutionLayer(network, halves[0], `${prefix}.conv1`, hidden, { kernel }));
    const said = convolutionLayer(network, inner, `${prefix}.conv2`, 2 * second, { kernel });
    const { y, s } = affineCoupling(graph, halves[1], said);
    gather(reduce(graph, s, { operation: 'sum', over: 'all' }));

    const gain = network.parameter(`${prefix}.gain`, [channels], constant(initialGain));
    const shift = network.parameter(`${prefix}.shift`, [channels], constant(0));
    const scale = affine(graph, softplus(graph, gain, 0.5), 0.1, 0);
    const logScale = reduce(graph, log(graph, scale), { operation: 'sum', over: 'all' });
    gather(affine(graph, logScale, batch * height * width, 0));
    halves = mixChannels(graph, [halves[0], y], scale, shift, permutation(channels, network.seed, prefix));
  }
  if (!logDeterminant) throw new Error('a flow wants at least one step');
  return { latent: halves, logDeterminant };
}

/** Negative log-likelihood of a flow's result, less a constant: the batch's mean of ½ Σ z² − log-determinant, `[1]`. */
export function flowLoss(network: Network, { latent, logDeterminant }: FlowResult): Tensor {
  const { graph } = network;
  const [batch = 1] = latent[0].shape;
  const squares = latent.map((half) => reduce(graph, square(graph, half), { operation: 'sum', over: 'all' }));
  const [first, second] = squares.map((sum) => affine(graph, sum, 0.5 / batch, 0));
  if (!first || !second) throw new Error('a latent has two halves');
  return add(graph, add(graph, first, second), affine(graph, logDeterminant, -1 / batch, 0));
}
