import type { Graph, Lowering, Operator, Tensor } from '../../engine/graph.js';
import { foldWorkgroups } from '../../engine/kernel.js';
import { elementCount } from '../../engine/tensor.js';
import { slice } from '../concat.js';
import { reduceSlices, rowSlices } from '../reduce-slices.js';
import { packing, table, wrong } from '../shapes.js';
import gradientSource from './affine-coupling-gradient.wgsl';
import couplingSource from './affine-coupling.wgsl';
import sumsSource from './mix-channels-sums.wgsl';
import mixSource from './mix-channels.wgsl';

const workgroups = (threads: number, lowering: Lowering): readonly [number, number, number] =>
  foldWorkgroups(Math.ceil(threads / 64), lowering.adapter.limits.maxComputeWorkgroupsPerDimension);

const couplingOperator: Operator<undefined> = {
  name: 'affine-coupling',
  lower(node, lowering) {
    const [x] = node.inputs;
    if (!x) throw new Error('affine-coupling wants two inputs');
    const channels = x.shape.at(-1) ?? 1;
    const packed = packing(channels);
    const count = elementCount(x.shape) / packed.width;
    lowering.dispatch({
      kernel: { name: `affine-coupling/${packed.suffix}`, source: couplingSource, aliases: packed.aliases },
      bindings: [...node.inputs, ...node.outputs],
      parameters: { count, channels: channels / packed.width },
      workgroups: workgroups(count, lowering),
      flops: 6 * elementCount(x.shape),
    });
  },
  gradient(node, [yGradient, scaleGradient], graph) {
    const [x, network] = node.inputs;
    const [, scale] = node.outputs;
    if (!x || !network || !scale || !yGradient || !scaleGradient) return [];
    return graph.add(couplingGradientOperator, [x, scale, yGradient, scaleGradient], undefined, [
      { shape: x.shape },
      { shape: network.shape },
    ]);
  },
};

const couplingGradientOperator: Operator<undefined> = {
  name: 'affine-coupling-gradient',
  lower(node, lowering) {
    const [x] = node.inputs;
    if (!x) throw new Error('affine-coupling-gradient wants four inputs');
    const channels = x.shape.at(-1) ?? 1;
    const packed = packing(channels);
    const count = elementCount(x.shape) / packed.width;
    lowering.dispatch({
      kernel: { name: `affine-coupling-gradient/${packed.suffix}`, source: gradientSource, aliases: packed.aliases },
      bindings: [...node.inputs, ...node.outputs],
      parameters: { count, channels: channels / packed.width },
      workgroups: workgroups(count, lowering),
      flops: 10 * elementCount(x.shape),
    });
  },
};

/**
 * Affine coupling with FastFlow's soft clamp: with o = 0.1 · network, s = 2 · tanh(first half of o) and
 * y = x · exp(s) + second half of o.
 *
 * @param x `[…, c]`.
 * @param network `[…, 2c]`.
 * @returns y and s, `[…, c]` each; the logarithm of the determinant is the sum of s.
 */
export function affineCoupling(graph: Graph, x: Tensor, network: Tensor): { readonly y: Tensor; readonly s: Tensor } {
  const channels = x.shape.at(-1) ?? 0;
  if (network.shape.at(-1) !== 2 * channels || elementCount(network.shape) !== 2 * elementCount(x.shape)) {
    throw wrong('affine-coupling', `[${network.shape.join(', ')}] does not fit [${x.shape.join(', ')}]`);
  }
  const [y, s] = graph.add(couplingOperator, [x, network], undefined, [{ shape: x.shape }, { shape: x.shape }]);
  if (!y || !s) throw new Error('affine-coupling gives two outputs');
  return { y, s };
}

interface MixAttributes {
  readonly order: readonly number[];
}

function mix(lowering: Lowering, bindings: readonly Tensor[], outputs: readonly Tensor[], back: boolean): void {
  const [first, second] = outputs;
  if (!first || !second) throw new Error('mix-channels gives two outputs');
  const count = elementCount(first.shape) + elementCount(second.shape);
  const firstChannels = first.shape.at(-1) ?? 0;
  lowering.dispatch({
    kernel: { name: `mix-channels${back ? '/back' : ''}`, source: mixSource, constants: { BACK: back } },
    bindings: [...bindings, ...outputs],
    parameters: { count, channels: firstChannels + (second.shape.at(-1) ?? 0), first: firstChannels },
    workgroups: workgroups(count, lowering),
    flops: 2 * count,
  });
}

const orderTable = (graph: Graph, order: readonly number[]): Tensor =>
  table(graph, 'channel order', Float32Array.from(order), 'u32');

const mixOperator: Operator<MixAttributes> = {
  name: 'mix-channels',
  lower: (node, lowering) => mix(lowering, node.inputs, node.outputs, false),
  gradient(node, [firstGradient, secondGradient], graph) {
    const [first, second, scale, shift] = node.inputs;
    if (!first || !second || !scale || !shift || !firstGradient || !secondGradient) return [];
    const { order } = node.attributes;
    const inverse = order.map((_, channel) => order.indexOf(channel));
    const back = orderTable(graph, inverse);
    const gradients = graph.add(mixBackOperator, [firstGradient, secondGradient, scale, back], undefined, [
      { shape: first.shape },
      { shape: second.shape },
    ]);
    const sums = graph.apply(mixSumsOperator, [first, second, firstGradient, secondGradient, back], undefined, [
      2,
      order.length,
    ]);
    const part = (index: number, shape: readonly number[]): Tensor =>
      graph.reshape(slice(graph, sums, index, index + 1, 0), shape);
    return [...gradients, part(1, scale.shape), part(0, shift.shape)];
  },
};

const mixBackOperator: Operator<undefined> = {
  name: 'mix-channels-back',
  lower(node, lowering) {
    const [first, second, scale, order] = node.inputs;
    if (!first || !second || !scale || !order) throw new Error('mix-channels-back wants four inputs');
    mix(lowering, [first, second, scale, scale, order], node.outputs, true);
  },
};

const mixSumsOperator: Operator<undefined> = {
  name: 'mix-channels-sums',
  lower(node, lowering) {
    const [first] = node.inputs;
    const [result] = node.outputs;
    if (!first || !result) throw new Error('mix-channels-sums wants five inputs');
    const channels = result.shape[1] ?? 1;
    const firstChannels = first.shape.at(-1) ?? 1;
    const pixels = elementCount(first.shape) / firstChannels;
    const { sliceRows, slices } = rowSlices(pixels);
    const partials = lowering.temporary('mix-channels.partials', [slices, 2, channels]);
    lowering.dispatch({
      kernel: { name: 'mix-channels-sums', source: sumsSource },
      bindings: [...node.inputs, partials],
      parameters: { pixels, slice_pixels: sliceRows, slices, channels, first: firstChannels },
      workgroups: workgroups(slices * channels, lowering),
      flops: 3 * pixels * channels,
    });
    reduceSlices(lowering, partials, result);
  },
};

/**
 * Scales and shifts every channel of two tensors that lie side by side, puts the channels into another order and cuts
 * them into two tensors of the same sizes again.
 *
 * @param parts `[…, a]` and `[…, b]`.
 * @param scale `[a + b]`, by input channel; `shift` likewise.
 * @param order input channel of each output channel: a permutation.
 */
export function mixChannels(
  graph: Graph,
  parts: readonly [Tensor, Tensor],
  scale: Tensor,
  shift: Tensor,
  order: readonly number[],
): readonly [Tensor, Tensor] {
  const [first, second] = parts;
  const channels = (first.shape.at(-1) ?? 0) + (second.shape.at(-1) ?? 0);
  const wanted = [elementCount(scale.shape), elementCount(shift.shape), order.length, new Set(order).size];
  if (wanted.some((size) => size !== channels)) {
    throw wrong('mix-channels', `scale, shift and order do not fit ${channels} channels`);
  }
  const inputs = [first, second, scale, shift, orderTable(graph, order)];
  const [a, b] = graph.add(mixOperator, inputs, { order }, [{ shape: first.shape }, { shape: second.shape }]);
  if (!a || !b) throw new Error('mix-channels gives two outputs');
  return [a, b];
}
