import type { Graph, Operator, Tensor } from '../engine/graph.js';
import { elementCount } from '../engine/tensor.js';
import source from './channel-sum.wgsl';
import { expandChannels } from './expand.js';

/** Rows that a lane sums. */
const items = 64;

const channelSumOperator: Operator<undefined> = {
  name: 'channel-sum',
  lower(node, lowering) {
    const [input] = node.inputs;
    const [result] = node.outputs;
    if (!input || !result) throw new Error('channel-sum wants one input');
    const channels = elementCount(result.shape);
    // The power of two that holds the channels, so that lanes are not idle where there are few.
    const columns = Math.min(64, 2 ** Math.ceil(Math.log2(channels)));
    const rowsOfGroup = (64 / columns) * items;
    let current = input;
    let rows = elementCount(input.shape) / channels;
    do {
      const partials = Math.ceil(rows / rowsOfGroup);
      const target = partials === 1 ? result : lowering.temporary('channel-sum.partials', [partials, channels]);
      lowering.dispatch({
        kernel: { name: `channel-sum/${columns}`, source, constants: { COLUMNS: columns, ITEMS: items } },
        bindings: [current, target],
        parameters: { rows, channels, partials },
        workgroups: [Math.ceil(channels / columns), partials, 1],
        flops: rows * channels,
      });
      current = target;
      rows = partials;
    } while (rows > 1);
  },
  gradient(node, [gradient], graph) {
    const [input] = node.inputs;
    return gradient && input ? [expandChannels(graph, gradient, input.shape)] : [];
  },
};

/** Sums over all but the last axis, always in the same order: `[…, channels]` to `[channels]`. */
export function channelSum(graph: Graph, input: Tensor): Tensor {
  return graph.apply(channelSumOperator, [input], undefined, [input.shape.at(-1) ?? 1]);
}
