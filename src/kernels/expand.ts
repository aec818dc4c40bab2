import { foldWorkgroups } from '../engine/kernel.js';
import type { Graph, Operator, Tensor } from '../engine/graph.js';
import { elementCount, type Shape } from '../engine/tensor.js';
import source from './expand.wgsl';
import { wrong } from './shapes.js';

const expandOperator: Operator<{ scale: number; over: 'groups' | 'channels' }> = {
  name: 'expand',
  lower(node, lowering) {
    const [values] = node.inputs;
    const [result] = node.outputs;
    if (!values || !result) throw new Error('expand wants one input');
    const { scale, over } = node.attributes;
    const count = elementCount(result.shape);
    const numbers = elementCount(values.shape);
    lowering.dispatch({
      kernel: { name: 'expand', source },
      bindings: [values, result],
      parameters: { count, length: over === 'groups' ? count / numbers : 1, values: numbers, scale },
      workgroups: foldWorkgroups(Math.ceil(count / 64), lowering.adapter.limits.maxComputeWorkgroupsPerDimension),
    });
  },
};

/**
 * Spreads one number a group over all elements of the group, times a constant: the gradient of a sum.
 *
 * @param values as many numbers as there are groups; the elements of `shape` are divided evenly, in order.
 */
export function expand(graph: Graph, values: Tensor, shape: Shape, scale = 1): Tensor {
  if (elementCount(shape) % elementCount(values.shape) !== 0) {
    throw wrong('expand', `[${shape.join(', ')}] is not divisible by ${elementCount(values.shape)} groups`);
  }
  return graph.apply(expandOperator, [values], { scale, over: 'groups' }, shape);
}

/**
 * Spreads one number a channel over all positions: the gradient of a sum of channels.
 *
 * @param values `[channels]`; `shape` is `[…, channels]`.
 */
export function expandChannels(graph: Graph, values: Tensor, shape: Shape): Tensor {
  if (shape.at(-1) !== elementCount(values.shape)) {
    throw wrong('expand', `[${shape.join(', ')}] has not ${elementCount(values.shape)} channels`);
  }
  return graph.apply(expandOperator, [values], { scale: 1, over: 'channels' }, shape);
}
