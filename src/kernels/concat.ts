import { foldWorkgroups } from '../engine/kernel.js';
import type { Graph, Lowering, Operator, Tensor } from '../engine/graph.js';
import { elementCount, type Shape } from '../engine/tensor.js';
import source from './copy-block.wgsl';
import { packing, wrong } from './shapes.js';

interface Block {
  readonly rows: number;
  readonly length: number;
  readonly sourceStride: number;
  readonly sourceOffset: number;
  readonly targetStride: number;
  readonly targetOffset: number;
}

function copyBlock(lowering: Lowering, from: Tensor, to: Tensor, block: Block): void {
  const { rows, ...counts } = block;
  const packed = packing(...Object.values(counts));
  const items = lowering.adapter.class === 'hardware' ? 1 : 4;
  const parameters = Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, count / packed.width]));
  lowering.dispatch({
    kernel: { name: `copy-block/${packed.suffix}`, source, constants: { ITEMS: items }, aliases: packed.aliases },
    bindings: [from, to],
    parameters: { rows, ...parameters },
    workgroups: foldWorkgroups(
      Math.ceil((rows * block.length) / packed.width / items / 64),
      lowering.adapter.limits.maxComputeWorkgroupsPerDimension,
    ),
  });
}

/** Elements before and behind an axis: a tensor is a matrix of `rows` rows of `size · inner` elements. */
function around(shape: Shape, axis: number): { rows: number; inner: number } {
  return { rows: elementCount(shape.slice(0, axis)), inner: elementCount(shape.slice(axis + 1)) };
}

const concatOperator: Operator<{ axis: number }> = {
  name: 'concat',
  lower(node, lowering) {
    const [result] = node.outputs;
    if (!result) throw new Error('concat gives one output');
    const { axis } = node.attributes;
    const { rows, inner } = around(result.shape, axis);
    let targetOffset = 0;
    for (const input of node.inputs) {
      const length = (input.shape[axis] ?? 0) * inner;
      const targetStride = (result.shape[axis] ?? 0) * inner;
      copyBlock(lowering, input, result, {
        rows,
        length,
        sourceStride: length,
        sourceOffset: 0,
        targetStride,
        targetOffset,
      });
      targetOffset += length;
    }
  },
  gradient(node, [gradient], graph) {
    if (!gradient) return [];
    const { axis } = node.attributes;
    return split(
      graph,
      gradient,
      node.inputs.map((input) => input.shape[axis] ?? 0),
      axis,
    );
  },
};

/**
 * Joins tensors along an axis; all other sizes are equal.
 *
 * @param axis default the last (channels); negative counts from the end.
 */
export function concat(graph: Graph, tensors: readonly Tensor[], axis = -1): Tensor {
  const [first] = tensors;
  if (!first) throw wrong('concat', 'wants at least one tensor');
  const at = resolveAxis('concat', first, axis);
  for (const tensor of tensors) {
    const fits =
      tensor.shape.length === first.shape.length &&
      tensor.shape.every((size, index) => index === at || size === first.shape[index]);
    if (!fits) {
      throw wrong('concat', `[${tensor.shape.join(', ')}] does not fit [${first.shape.join(', ')}] along axis ${at}`);
    }
  }
  const total = tensors.reduce((sum, tensor) => sum + (tensor.shape[at] ?? 0), 0);
  return graph.apply(concatOperator, tensors, { axis: at }, first.shape.with(at, total));
}

const sliceOperator: Operator<{ axis: number; start: number }> = {
  name: 'slice',
  lower(node, lowering) {
    const [input] = node.inputs;
    const [result] = node.outputs;
    if (!input || !result) throw new Error('slice wants one input');
    const { axis, start } = node.attributes;
    const { rows, inner } = around(result.shape, axis);
    const length = (result.shape[axis] ?? 0) * inner;
    copyBlock(lowering, input, result, {
      rows,
      length,
      sourceStride: (input.shape[axis] ?? 0) * inner,
      sourceOffset: start * inner,
      targetStride: length,
      targetOffset: 0,
    });
  },
  gradient(node, [gradient], graph) {
    const [input] = node.inputs;
    if (!gradient || !input) return [];
    const { axis, start } = node.attributes;
    const behind = (input.shape[axis] ?? 0) - start - (gradient.shape[axis] ?? 0);
    // Zeros before and behind: parameters without contents start as zeros and nobody writes them.
    const zeros = (size: number): Tensor[] => {
      if (size === 0) return [];
      const shape = input.shape.with(axis, size);
      const name = `zeros.${shape.join('x')}`;
      return [
        graph.parameters.find((known) => known.name === name) ?? graph.parameter(name, shape, { owner: 'tables' }),
      ];
    };
    return [concat(graph, [...zeros(start), gradient, ...zeros(behind)], axis)];
  },
};

/** Elements `start` to `end` (exclusive) along an axis, default the last (channels). */
export function slice(graph: Graph, tensor: Tensor, start: number, end: number, axis = -1): Tensor {
  const at = resolveAxis('slice', tensor, axis);
  const size = tensor.shape[at] ?? 0;
  if (start < 0 || end > size || start >= end) throw wrong('slice', `${start} to ${end} of ${size} along axis ${at}`);
  return graph.apply(sliceOperator, [tensor], { axis: at, start }, tensor.shape.with(at, end - start));
}

const splitOperator: Operator<{ axis: number }> = {
  name: 'split',
  lower(node, lowering) {
    const [input] = node.inputs;
    if (!input) throw new Error('split wants one input');
    const { axis } = node.attributes;
    const { rows, inner } = around(input.shape, axis);
    let sourceOffset = 0;
    for (const output of node.outputs) {
      const length = (output.shape[axis] ?? 0) * inner;
      const sourceStride = (input.shape[axis] ?? 0) * inner;
      copyBlock(lowering, input, output, {
        rows,
        length,
        sourceStride,
        sourceOffset,
        targetStride: length,
        targetOffset: 0,
      });
      sourceOffset += length;
    }
  },
  gradient: (node, gradients, graph) => [concat(graph, gradients, node.attributes.axis)],
};

/** Cuts a tensor into parts of the given sizes along an axis, default the last (channels): the inverse of {@link concat}. */
export function split(graph: Graph, tensor: Tensor, sizes: readonly number[], axis = -1): Tensor[] {
  const at = resolveAxis('split', tensor, axis);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total !== tensor.shape[at])
    throw wrong('split', `parts of ${sizes.join(', ')} do not add up to ${tensor.shape[at]}`);
  return graph.add(
    splitOperator,
    [tensor],
    { axis: at },
    sizes.map((size) => ({ shape: tensor.shape.with(at, size), dtype: tensor.dtype })),
  );
}

function resolveAxis(operator: string, tensor: Tensor, axis: number): number {
  const at = axis < 0 ? axis + tensor.shape.length : axis;
  if (!(at in tensor.shape)) throw wrong(operator, `${tensor.name} has no axis ${axis}`);
  return at;
}
