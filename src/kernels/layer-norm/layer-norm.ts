import type { Graph, Lowering, Operator, Tensor } from '../../engine/graph.js';
import { foldWorkgroups } from '../../engine/kernel.js';
import { elementCount } from '../../engine/tensor.js';
import { reduceSlices } from '../reduce-slices.js';
import { wrong } from '../shapes.js';
import affineGradientSource from './affine-gradient.wgsl';
import combineSource from './combine-moments.wgsl';
import gradientSumsSource from './gradient-sums.wgsl';
import inputGradientSource from './input-gradient.wgsl';
import momentsSource from './moments.wgsl';
import normalizeSource from './normalize.wgsl';

interface Attributes {
  readonly epsilon: number;
}

/** Elements that a workgroup sums. */
const blockLength = 64 * 32;

/** A batch as images of `length` elements. */
function images(tensor: Tensor): { images: number; length: number; blocks: number } {
  const [count = 1] = tensor.shape;
  const length = elementCount(tensor.shape) / count;
  return { images: count, length, blocks: Math.ceil(length / blockLength) };
}

const workgroups = (threads: number, lowering: Lowering): readonly [number, number, number] =>
  foldWorkgroups(Math.ceil(threads / 64), lowering.adapter.limits.maxComputeWorkgroupsPerDimension);

const momentsOperator: Operator<undefined> = {
  name: 'image-moments',
  lower(node, lowering) {
    const [input] = node.inputs;
    const [result] = node.outputs;
    if (!input || !result) throw new Error('image-moments wants one input');
    const { images: count, length, blocks } = images(input);
    const partials = lowering.temporary('image-moments.partials', [count, blocks, 2]);
    lowering.dispatch({
      kernel: { name: 'image-moments', source: momentsSource },
      bindings: [input, partials],
      parameters: { length, blocks },
      workgroups: [blocks, count, 1],
      flops: 4 * count * length,
    });
    lowering.dispatch({
      kernel: { name: 'image-moments/combine', source: combineSource },
      bindings: [partials, result],
      parameters: { images: count, length, blocks, block_length: blockLength },
      workgroups: [Math.ceil(count / 64), 1, 1],
    });
  },
};

const normalizeOperator: Operator<Attributes> = {
  name: 'layer-normalize',
  lower(node, lowering) {
    const [result] = node.outputs;
    if (!result) throw new Error('layer-normalize gives one output');
    const count = elementCount(result.shape);
    lowering.dispatch({
      kernel: { name: 'layer-normalize', source: normalizeSource },
      bindings: [...node.inputs, result],
      parameters: { count, length: images(result).length, epsilon: node.attributes.epsilon },
      workgroups: workgroups(count, lowering),
      flops: 4 * count,
    });
  },
  gradient(node, [gradient], graph) {
    const [input, moments, weight, bias] = node.inputs;
    if (!gradient || !input || !moments || !weight || !bias) return [];
    const { images: count } = images(input);
    const sums = graph.apply(gradientSumsOperator, [input, gradient, moments, weight], node.attributes, [count, 2]);
    const affine = graph.add(affineGradientOperator, [input, gradient, moments], node.attributes, [
      { shape: weight.shape },
      { shape: bias.shape },
    ]);
    return [
      // Includes what flows through the moments, which therefore get none of their own.
      graph.apply(inputGradientOperator, [input, gradient, moments, weight, sums], node.attributes, input.shape),
      undefined,
      ...affine,
    ];
  },
};

const gradientSumsOperator: Operator<Attributes> = {
  name: 'layer-norm-gradient-sums',
  lower(node, lowering) {
    const [input] = node.inputs;
    const [result] = node.outputs;
    if (!input || !result) throw new Error('layer-norm-gradient-sums wants four inputs');
    const { images: count, length, blocks } = images(input);
    const partials = lowering.temporary('layer-norm-gradient.partials', [blocks, count, 2]);
    lowering.dispatch({
      kernel: { name: 'layer-norm-gradient-sums', source: gradientSumsSource },
      bindings: [...node.inputs, partials],
      parameters: { length, blocks, epsilon: node.attributes.epsilon },
      workgroups: [blocks, count, 1],
      flops: 5 * count * length,
    });
    reduceSlices(lowering, partials, result);
  },
};

const inputGradientOperator: Operator<Attributes> = {
  name: 'layer-norm-input-gradient',
  lower(node, lowering) {
    const [result] = node.outputs;
    if (!result) throw new Error('layer-norm-input-gradient gives one output');
    const count = elementCount(result.shape);
    lowering.dispatch({
      kernel: { name: 'layer-norm-input-gradient', source: inputGradientSource },
      bindings: [...node.inputs, result],
      parameters: { count, length: images(result).length, epsilon: node.attributes.epsilon },
      workgroups: workgroups(count, lowering),
      flops: 8 * count,
    });
  },
};

const affineGradientOperator: Operator<Attributes> = {
  name: 'layer-norm-affine-gradient',
  lower(node, lowering) {
    const [input] = node.inputs;
    if (!input) throw new Error('layer-norm-affine-gradient wants three inputs');
    const { images: count, length } = images(input);
    lowering.dispatch({
      kernel: { name: 'layer-norm-affine-gradient', source: affineGradientSource },
      bindings: [...node.inputs, ...node.outputs],
      parameters: { images: count, length, epsilon: node.attributes.epsilon },
      workgroups: workgroups(length, lowering),
      flops: 4 * count * length,
    });
  },
};

/**
 * Layer normalisation over all of an image: every image of the batch to mean 0 and variance 1, then an own scale and
 * shift for every element.
 *
 * @param x `[n, …]`.
 * @param weight as many elements as an image; `bias` likewise.
 */
export function layerNorm(graph: Graph, x: Tensor, weight: Tensor, bias: Tensor, epsilon = 1e-5): Tensor {
  const { images: count, length } = images(x);
  for (const affine of [weight, bias]) {
    if (elementCount(affine.shape) !== length) {
      throw wrong('layer-norm', `${affine.name} [${affine.shape.join(', ')}] does not fit [${x.shape.join(', ')}]`);
    }
  }
  const moments = graph.apply(momentsOperator, [x], undefined, [count, 2]);
  return graph.apply(normalizeOperator, [x, moments, weight, bias], { epsilon }, x.shape);
}
