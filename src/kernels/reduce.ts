import { foldWorkgroups } from '../engine/kernel.js';
import type { Graph, Operator, Tensor } from '../engine/graph.js';
import { elementCount } from '../engine/tensor.js';
import { expand } from './expand.js';
import source from './reduce.wgsl';
import { packing } from './shapes.js';

/** What to reduce to one number. `countNonFinite` looks at the bits, as WGSL may assume that NaN does not exist. */
export type ReduceOperation = 'sum' | 'max' | 'mean' | 'countNonFinite';

interface ReduceAttributes {
  readonly operation: ReduceOperation;
  /** Numbers that come out: one an image, or one. */
  readonly groups: number;
}

/** Elements (or vectors) that a workgroup folds: 64 lanes of 32. */
const share = 64 * 32;
const negativeInfinity = 0xff800000;

const reduceOperator: Operator<ReduceAttributes> = {
  name: 'reduce',
  lower(node, lowering) {
    const [input] = node.inputs;
    const [result] = node.outputs;
    if (!input || !result) throw new Error('reduce wants one input');
    const { operation, groups } = node.attributes;
    const whole = elementCount(input.shape) / groups;
    const limit = lowering.adapter.limits.maxComputeWorkgroupsPerDimension;
    let current = input;
    let length = whole;
    do {
      // Vectors of four are folded to four results, so they are for levels that do not end with one anyway.
      const packed = packing(length > share ? length : 1);
      const partials = Math.ceil(length / packed.width / share);
      const results = partials * packed.width;
      const target = results === 1 ? result : lowering.temporary('reduce.partials', [groups, results]);
      const count = operation === 'countNonFinite' && current === input;
      const [x, y] = foldWorkgroups(partials, limit);
      lowering.dispatch({
        kernel: {
          name: `reduce/${count ? 'count-non-finite' : operation === 'max' ? 'max' : 'sum'}-${packed.suffix}`,
          source,
          constants: { ITEMS: share / 64, MAXIMUM: operation === 'max', COUNT: count },
          aliases: { ...packed.aliases, Bits: packed.width === 4 ? 'vec4u' : 'u32' },
        },
        bindings: [current, target],
        parameters: {
          length: length / packed.width,
          partials,
          identity: operation === 'max' ? negativeInfinity : 0,
          scale: operation === 'mean' && results === 1 ? 1 / whole : 1,
        },
        workgroups: [x, y, groups],
        flops: groups * length,
      });
      current = target;
      length = results;
    } while (length > 1);
  },
  gradient(node, [gradient], graph) {
    const [input] = node.inputs;
    const { operation, groups } = node.attributes;
    if (!gradient || !input) return [];
    if (operation !== 'sum' && operation !== 'mean') throw new Error(`reduce ${operation} has no gradient`);
    const scale = operation === 'mean' ? groups / elementCount(input.shape) : 1;
    return [expand(graph, gradient, input.shape, scale)];
  },
};

/**
 * Reduces each image of a batch, or everything, to one number, always in the same order.
 *
 * @param input any shape; images are its first axis.
 * @returns `[batch]` with `over: 'perImage'`, `[1]` with `over: 'all'`.
 */
export function reduce(
  graph: Graph,
  input: Tensor,
  options: { readonly operation: ReduceOperation; readonly over: 'perImage' | 'all' },
): Tensor {
  const groups = options.over === 'all' ? 1 : (input.shape[0] ?? 1);
  return graph.apply(reduceOperator, [input], { operation: options.operation, groups }, [groups]);
}

/** Highest value of each map: the score of an image. `[batch, height, width]` (any rank) to `[batch]`. */
export function mapPeak(graph: Graph, map: Tensor): Tensor {
  return reduce(graph, map, { operation: 'max', over: 'perImage' });
}
