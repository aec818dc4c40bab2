import type { Graph, Operator, Tensor } from '../engine/graph.js';
import { foldWorkgroups } from '../engine/kernel.js';
import { elementCount } from '../engine/tensor.js';
import { affine, clampMin, divide, multiply, sqrt } from './elementwise.js';
import rowDotSource from './row-dot.wgsl';
import scaleRowsSource from './scale-rows.wgsl';
import { packing, sameSize, wrong } from './shapes.js';

const rowDotOperator: Operator<undefined> = {
  name: 'row-dot',
  lower(node, lowering) {
    const [left, right] = node.inputs;
    const [result] = node.outputs;
    if (!left || !right || !result) throw new Error('row-dot wants two inputs');
    const rows = elementCount(result.shape);
    const length = elementCount(left.shape) / rows;
    const packed = packing(length);
    lowering.dispatch({
      kernel: {
        name: `row-dot/${packed.suffix}`,
        source: rowDotSource,
        aliases: packed.aliases,
        constants: { VECTORS: packed.width === 4 },
      },
      bindings: [left, right, result],
      parameters: { rows, length: length / packed.width },
      workgroups: foldWorkgroups(Math.ceil(rows / 64), lowering.adapter.limits.maxComputeWorkgroupsPerDimension),
      flops: 2 * rows * length,
    });
  },
  gradient(node, [gradient], graph) {
    const [left, right] = node.inputs;
    if (!gradient || !left || !right) return [];
    // A squared length: both sides get the same, which is summed before it is spread.
    if (left === right) return [scaleRows(graph, left, affine(graph, gradient, 2, 0))];
    return [scaleRows(graph, right, gradient), scaleRows(graph, left, gradient)];
  },
};

/** Scalar products along the last axis: `[…, c]` and `[…, c]` to `[…]`. */
export function rowDot(graph: Graph, left: Tensor, right: Tensor): Tensor {
  sameSize('row-dot', left, right);
  return graph.apply(rowDotOperator, [left, right], undefined, left.shape.slice(0, -1));
}

const scaleRowsOperator: Operator<undefined> = {
  name: 'scale-rows',
  lower(node, lowering) {
    const [input, factors] = node.inputs;
    const [result] = node.outputs;
    if (!input || !factors || !result) throw new Error('scale-rows wants two inputs');
    const length = elementCount(input.shape) / elementCount(factors.shape);
    const packed = packing(length);
    const count = elementCount(input.shape) / packed.width;
    lowering.dispatch({
      kernel: { name: `scale-rows/${packed.suffix}`, source: scaleRowsSource, aliases: packed.aliases },
      bindings: [input, factors, result],
      parameters: { count, length: length / packed.width },
      workgroups: foldWorkgroups(Math.ceil(count / 64), lowering.adapter.limits.maxComputeWorkgroupsPerDimension),
      flops: elementCount(input.shape),
    });
  },
  gradient(node, [gradient], graph) {
    const [input, factors] = node.inputs;
    if (!gradient || !input || !factors) return [];
    return [scaleRows(graph, gradient, factors), rowDot(graph, gradient, input)];
  },
};

/** Multiplies every vector along the last axis by a number of its own: `[…, c]` by `[…]`. */
export function scaleRows(graph: Graph, input: Tensor, factors: Tensor): Tensor {
  if (elementCount(factors.shape) * (input.shape.at(-1) ?? 1) !== elementCount(input.shape)) {
    throw wrong('scale-rows', `[${factors.shape.join(', ')}] does not fit [${input.shape.join(', ')}]`);
  }
  return graph.apply(scaleRowsOperator, [input, factors], undefined, input.shape);
}

/** Lengths along the last axis, not below `epsilon` (where no gradient flows). */
function lengths(graph: Graph, x: Tensor, epsilon: number): Tensor {
  return sqrt(graph, clampMin(graph, rowDot(graph, x, x), epsilon ** 2));
}

/** Every vector along the last axis to length 1; those shorter than `epsilon` are divided by it. */
export function l2Normalize(graph: Graph, x: Tensor, epsilon = 1e-12): Tensor {
  const length = lengths(graph, x, epsilon);
  return scaleRows(graph, x, divide(graph, affine(graph, length, 0, 1), length));
}

/** Cosine of the angle between the vectors along the last axis: `[…, c]` and `[…, c]` to `[…]`. */
export function cosineSimilarity(graph: Graph, left: Tensor, right: Tensor, epsilon = 1e-8): Tensor {
  const product = multiply(graph, lengths(graph, left, epsilon), lengths(graph, right, epsilon));
  return divide(graph, rowDot(graph, left, right), product);
}
