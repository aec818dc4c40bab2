import { foldWorkgroups } from '../engine/kernel.js';
import type { Graph, Operator, Tensor } from '../engine/graph.js';
import { elementCount } from '../engine/tensor.js';
import source from './argmax.wgsl';

/** Candidates that a workgroup folds: 64 lanes of 32. */
const share = 64 * 32;

const argmaxOperator: Operator<undefined> = {
  name: 'argmax',
  lower(node, lowering) {
    const [input] = node.inputs;
    const [value, index] = node.outputs;
    if (!input || !value || !index) throw new Error('argmax wants one input');
    const groups = elementCount(index.shape);
    let length = elementCount(input.shape) / groups;
    let candidates: { values: Tensor; indices: Tensor } | undefined;
    do {
      const partials = Math.ceil(length / share);
      const shape = [groups, partials];
      const best =
        partials === 1
          ? { values: value, indices: index }
          : {
              values: lowering.temporary('argmax.values', shape),
              indices: lowering.temporary('argmax.indices', shape, 'u32'),
            };
      const [x, y] = foldWorkgroups(partials, lowering.adapter.limits.maxComputeWorkgroupsPerDimension);
      lowering.dispatch({
        kernel: {
          name: candidates ? 'argmax/next' : 'argmax/first',
          source,
          constants: { ITEMS: share / 64, FIRST: candidates === undefined },
        },
        bindings: [candidates?.values ?? input, candidates?.indices ?? input, best.values, best.indices],
        parameters: { length, partials },
        workgroups: [x, y, groups],
      });
      candidates = best;
      length = partials;
    } while (length > 1);
  },
};

/**
 * The greatest element of each image and where it is, counted row by row within the image; of equals the first.
 *
 * @param input any shape; images are its first axis.
 * @returns `value` `[batch]` and `index` `[batch]` (u32).
 */
export function argmax(graph: Graph, input: Tensor): { value: Tensor; index: Tensor } {
  const shape = [input.shape[0] ?? 1];
  const [value, index] = graph.add(argmaxOperator, [input], undefined, [{ shape }, { shape, dtype: 'u32' }]);
  if (!value || !index) throw new Error('argmax gives two outputs');
  return { value, index };
}
