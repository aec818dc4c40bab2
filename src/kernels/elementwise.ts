import { foldWorkgroups } from '../engine/kernel.js';
import type { Graph, Operator, Tensor } from '../engine/graph.js';
import { elementCount } from '../engine/tensor.js';
import source from './elementwise.wgsl';

/** Operations by their number in the kernel. */
const operations = ['add', 'subtract', 'multiply', 'divide', 'affine', 'relu', 'relu6'] as const;

/** Name of an elementwise operation. */
export type ElementwiseOperation = (typeof operations)[number];

interface ElementwiseAttributes {
  readonly operation: ElementwiseOperation;
  readonly a: number;
  readonly b: number;
}

function elementwiseOperator(name: string): Operator<ElementwiseAttributes> {
  return {
    name,
    lower(node, lowering) {
      const { operation, a, b } = node.attributes;
      const [left, right = left] = node.inputs;
      const [result] = node.outputs;
      if (!left || !right || !result) throw new Error(`${name} wants one or two inputs`);
      const count = elementCount(result.shape);
      const vectors = Math.ceil(count / 4);
      lowering.dispatch({
        kernel: { name: `elementwise/${operation}`, source, constants: { OPERATION: operations.indexOf(operation) } },
        bindings: [left, right, result],
        parameters: { vectors, a, b },
        workgroups: foldWorkgroups(Math.ceil(vectors / 64), lowering.adapter.limits.maxComputeWorkgroupsPerDimension),
        flops: count,
      });
    },
    gradient(node, [gradient], graph) {
      const [left, right] = node.inputs;
      if (!gradient || !left) return [];
      switch (node.attributes.operation) {
        case 'add':
          return [gradient, gradient];
        case 'subtract':
          return [gradient, affine(graph, gradient, -1, 0)];
        case 'multiply':
          return right ? [multiply(graph, gradient, right), multiply(graph, gradient, left)] : [];
        case 'affine':
          return [affine(graph, gradient, node.attributes.a, 0)];
        default:
          throw new Error(`elementwise ${node.attributes.operation} has no gradient`);
      }
    },
  };
}

const operators = new Map(operations.map((operation) => [operation, elementwiseOperator(operation)]));

function elementwise(graph: Graph, operation: ElementwiseOperation, inputs: Tensor[], a = 0, b = 0): Tensor {
  const [first, second] = inputs;
  const operator = operators.get(operation);
  if (!first || !operator) throw new Error(`${operation} wants an input`);
  if (second && elementCount(second.shape) !== elementCount(first.shape)) {
    throw new Error(`${operation}: shapes [${first.shape.join(', ')}] and [${second.shape.join(', ')}] differ`);
  }
  return graph.apply(operator, inputs, { operation, a, b }, first.shape);
}

/** `left + right`, of one shape. Fused into the operator before it where that can take a residual. */
export const add = (graph: Graph, left: Tensor, right: Tensor): Tensor => elementwise(graph, 'add', [left, right]);
/** `left − right`, of one shape. */
export const subtract = (graph: Graph, left: Tensor, right: Tensor): Tensor =>
  elementwise(graph, 'subtract', [left, right]);
/** `left · right`, of one shape. */
export const multiply = (graph: Graph, left: Tensor, right: Tensor): Tensor =>
  elementwise(graph, 'multiply', [left, right]);
/** `scale · input + shift` with constants. */
export const affine = (graph: Graph, input: Tensor, scale: number, shift: number): Tensor =>
  elementwise(graph, 'affine', [input], scale, shift);
/** `max(input, 0)`. */
export const relu = (graph: Graph, input: Tensor): Tensor => elementwise(graph, 'relu', [input]);
/** `min(max(input, 0), 6)`. */
export const relu6 = (graph: Graph, input: Tensor): Tensor => elementwise(graph, 'relu6', [input]);
