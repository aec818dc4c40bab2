import type { Graph, Operator, Tensor } from '../../src/engine/graph.js';
import { foldWorkgroups } from '../../src/engine/kernel.js';
import { elementCount, type DType, type Shape } from '../../src/engine/tensor.js';

const twinOperator: Operator<{ name: string; source: string; parameters: Readonly<Record<string, number>> }> = {
  name: 'twin',
  lower(node, lowering) {
    const { name, source, parameters } = node.attributes;
    const [result] = node.outputs;
    if (!result) throw new Error(`${name} gives one output`);
    const count = elementCount(result.shape);
    lowering.dispatch({
      kernel: { name: `${name}/naive-twin`, source },
      bindings: [...node.inputs, result],
      parameters: { count, ...parameters },
      workgroups: foldWorkgroups(Math.ceil(count / 64), lowering.adapter.limits.maxComputeWorkgroupsPerDimension),
    });
  },
};

/**
 * Runs a naïve kernel through the engine: a second oracle beside the f64 reference. Its bindings are the inputs and the
 * result, its parameters begin with `count` (elements of the result), and thread t computes element t.
 */
export function twin(
  graph: Graph,
  name: string,
  source: string,
  inputs: readonly Tensor[],
  parameters: Readonly<Record<string, number>>,
  shape: Shape,
  dtype: DType = 'f32',
): Tensor {
  return graph.apply(twinOperator, inputs, { name, source, parameters }, shape, dtype);
}
