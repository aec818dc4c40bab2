import { foldWorkgroups } from '../engine/kernel.js';
import type { Graph, Operator, Tensor } from '../engine/graph.js';
import { elementCount, type Shape } from '../engine/tensor.js';
import source from './expand.wgsl';
import { wrong } from './shapes.js';

const expandOperator: Operator<{ scale: number }> = {
  name: 'expand',
  lower(node, lowering) {
    const [values] = node.inputs;
    const [result] = node.outputs;
    if (!values || !result) throw new Error('expand wants one input');
    const count = elementCount(result.shape);
    lowering.dispatch({
      kernel: { name: 'expand', source },
      bindings: [values, result],
      parameters: { count, length: count / elementCount(values.shape), scale: node.attributes.scale },
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
  return graph.apply(expandOperator, [values], { scale }, shape);
}
