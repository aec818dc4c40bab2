import type { Graph, Lowering, Operator, Tensor } from '../../engine/graph.js';
import { foldWorkgroups } from '../../engine/kernel.js';
import { elementCount } from '../../engine/tensor.js';
import type { BatchNormParameters } from '../batch-norm.js';
import { slice } from '../concat.js';
import { reduceSlices, rowSlices } from '../reduce-slices.js';
import { packing, wrong } from '../shapes.js';
import combineSource from './combine-moments.wgsl';
import gradientSumsSource from './gradient-sums.wgsl';
import inputGradientSource from './input-gradient.wgsl';
import momentsSource from './moments.wgsl';
import normalizeSource from './normalize.wgsl';
import runningSource from './running-average.wgsl';

interface Attributes {
  readonly epsilon: number;
}

/** A tensor as a matrix of rows (pixels) by channels. */
function matrix(tensor: Tensor): { rows: number; channels: number } {
  const channels = tensor.shape.at(-1) ?? 1;
  return { rows: elementCount(tensor.shape) / channels, channels };
}

const workgroups = (threads: number, lowering: Lowering): readonly [number, number, number] =>
  foldWorkgroups(Math.ceil(threads / 64), lowering.adapter.limits.maxComputeWorkgroupsPerDimension);

const momentsOperator: Operator<undefined> = {
  name: 'channel-moments',
  lower(node, lowering) {
    const [input] = node.inputs;
    const [result] = node.outputs;
    if (!input || !result) throw new Error('channel-moments wants one input');
    const { rows, channels } = matrix(input);
    const { sliceRows, slices } = rowSlices(rows);
    const packed = packing(channels);
    const partials = lowering.temporary('channel-moments.partials', [slices, 2, channels]);
    const parameters = { rows, slice_rows: sliceRows, slices, channels: channels / packed.width };
    lowering.dispatch({
      kernel: { name: `channel-moments/${packed.suffix}`, source: momentsSource, aliases: packed.aliases },
      bindings: [input, partials],
      parameters,
      workgroups: workgroups(slices * parameters.channels, lowering),
      flops: 4 * rows * channels,
    });
    lowering.dispatch({
      kernel: { name: `channel-moments/combine-${packed.suffix}`, source: combineSource, aliases: packed.aliases },
      bindings: [partials, result],
      parameters,
      workgroups: [Math.ceil(parameters.channels / 64), 1, 1],
    });
  },
};

const runningOperator: Operator<{ momentum: number; rows: number }> = {
  name: 'running-average',
  lower(node, lowering) {
    const { momentum, rows } = node.attributes;
    const channels = node.inputs[1]?.shape[0] ?? 1;
    lowering.dispatch({
      kernel: { name: 'running-average', source: runningSource },
      bindings: node.inputs,
      parameters: { channels, momentum, correction: rows / Math.max(1, rows - 1) },
      workgroups: [Math.ceil(channels / 64), 1, 1],
    });
  },
};

const normalizeOperator: Operator<Attributes> = {
  name: 'batch-normalize',
  lower(node, lowering) {
    const [result] = node.outputs;
    if (!result) throw new Error('batch-normalize gives one output');
    const { channels } = matrix(result);
    const packed = packing(channels);
    const count = elementCount(result.shape) / packed.width;
    lowering.dispatch({
      kernel: { name: `batch-normalize/${packed.suffix}`, source: normalizeSource, aliases: packed.aliases },
      bindings: [...node.inputs, result],
      parameters: { count, channels: channels / packed.width, epsilon: node.attributes.epsilon },
      workgroups: workgroups(count, lowering),
      flops: 4 * elementCount(result.shape),
    });
  },
  gradient(node, [gradient], graph) {
    const [input, moments, weight] = node.inputs;
    if (!gradient || !input || !moments || !weight) return [];
    const { channels } = matrix(input);
    const sums = graph.apply(gradientSumsOperator, [input, gradient, moments], node.attributes, [2, channels]);
    const part = (index: number): Tensor => graph.reshape(slice(graph, sums, index, index + 1, 0), [channels]);
    return [
      // Includes what flows through the moments, which therefore get none of their own.
      graph.apply(inputGradientOperator, [input, gradient, moments, weight, sums], node.attributes, input.shape),
      undefined,
      part(1),
      part(0),
    ];
  },
};

const gradientSumsOperator: Operator<Attributes> = {
  name: 'batch-norm-gradient-sums',
  lower(node, lowering) {
    const [input] = node.inputs;
    const [result] = node.outputs;
    if (!input || !result) throw new Error('batch-norm-gradient-sums wants three inputs');
    const { rows, channels } = matrix(input);
    const { sliceRows, slices } = rowSlices(rows);
    const packed = packing(channels);
    const partials = lowering.temporary('batch-norm-gradient.partials', [slices, 2, channels]);
    lowering.dispatch({
      kernel: {
        name: `batch-norm-gradient-sums/${packed.suffix}`,
        source: gradientSumsSource,
        aliases: packed.aliases,
      },
      bindings: [...node.inputs, partials],
      parameters: {
        rows,
        slice_rows: sliceRows,
        slices,
        channels: channels / packed.width,
        epsilon: node.attributes.epsilon,
      },
      workgroups: workgroups((slices * channels) / packed.width, lowering),
      flops: 4 * rows * channels,
    });
    reduceSlices(lowering, partials, result);
  },
};

const inputGradientOperator: Operator<Attributes> = {
  name: 'batch-norm-input-gradient',
  lower(node, lowering) {
    const [result] = node.outputs;
    if (!result) throw new Error('batch-norm-input-gradient gives one output');
    const { rows, channels } = matrix(result);
    const packed = packing(channels);
    const count = elementCount(result.shape) / packed.width;
    lowering.dispatch({
      kernel: {
        name: `batch-norm-input-gradient/${packed.suffix}`,
        source: inputGradientSource,
        aliases: packed.aliases,
      },
      bindings: [...node.inputs, result],
      parameters: { count, channels: channels / packed.width, rows, epsilon: node.attributes.epsilon },
      workgroups: workgroups(count, lowering),
      flops: 8 * elementCount(result.shape),
    });
  },
};

/**
 * Batch normalisation as networks are trained with it: by the mean and the (biased) variance of the batch itself, over
 * all but the last axis. The running statistics `mean` and `variance` move towards the batch's in place.
 *
 * @param momentum share of the batch in the new running statistics.
 */
export function batchNormTraining(
  graph: Graph,
  x: Tensor,
  { weight, bias, mean, variance }: BatchNormParameters,
  { epsilon = 1e-5, momentum = 0.1 }: { readonly epsilon?: number; readonly momentum?: number } = {},
): Tensor {
  const { rows, channels } = matrix(x);
  for (const vector of [weight, bias, mean, variance]) {
    if (elementCount(vector.shape) !== channels) {
      throw wrong('batch-norm-training', `${vector.name} does not have one number for each of ${channels} channels`);
    }
  }
  const moments = graph.apply(momentsOperator, [x], undefined, [2, channels]);
  graph.add(runningOperator, [moments, mean, variance], { momentum, rows }, [], [mean, variance]);
  return graph.apply(normalizeOperator, [x, moments, weight, bias], { epsilon }, x.shape);
}
