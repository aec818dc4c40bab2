import { foldWorkgroups } from '../engine/kernel.js';
import type { Graph, Node, Operator, Tensor } from '../engine/graph.js';
import { elementCount } from '../engine/tensor.js';
import { channelSum } from './channel-sum.js';
import source from './elementwise.wgsl';
import { reduce } from './reduce.js';
import { sameSize, wrong } from './shapes.js';

/** Operations by their number in the kernel. */
const operations = [
  'add',
  'subtract',
  'multiply',
  'divide',
  'affine',
  'relu',
  'relu6',
  'tanh',
  'exp',
  'log',
  'softplus',
  'sigmoid',
  'sqrt',
  'square',
  'abs',
  'clamp-min',
  'relu-gradient',
  'relu6-gradient',
  'tanh-gradient',
  'sigmoid-gradient',
  'sqrt-gradient',
  'softplus-gradient',
  'square-gradient',
  'abs-gradient',
  'clamp-min-gradient',
] as const;

/** Name of an elementwise operation. */
export type ElementwiseOperation = (typeof operations)[number];

/** How the right operand meets the left. */
type Broadcast = 'none' | 'scalar' | 'channels';

/** Ways to broadcast by their number in the kernel, for its name. */
const broadcastNames = ['', '-scalar', '-channels', '-channels-vec4', '-channels-power-of-two'];

interface ElementwiseAttributes {
  readonly operation: ElementwiseOperation;
  readonly broadcast: Broadcast;
  readonly a: number;
  readonly b: number;
}

function elementwiseOperator(name: string): Operator<ElementwiseAttributes> {
  return {
    name,
    lower(node, lowering) {
      const { operation, broadcast, a, b } = node.attributes;
      const [left, right = left] = node.inputs;
      const [result] = node.outputs;
      if (!left || !right || !result) throw new Error(`${name} wants one or two inputs`);
      const count = elementCount(result.shape);
      const vectors = Math.ceil(count / 4);
      const hardware = lowering.adapter.class === 'hardware';
      const items = hardware && vectors < 2 ** 20 ? 1 : 4;
      let channels = 1;
      let broadcastNumber = 0;
      if (broadcast === 'scalar') broadcastNumber = 1;
      if (broadcast === 'channels') {
        channels = elementCount(right.shape);
        broadcastNumber = 2;
        if (channels % 4 === 0) {
          channels /= 4;
          broadcastNumber = Number.isInteger(Math.log2(channels)) ? 4 : 3;
        }
      }
      lowering.dispatch({
        kernel: {
          name: `elementwise/${operation}${broadcastNames[broadcastNumber] ?? ''}-${items}`,
          source,
          constants: {
            OPERATION: operations.indexOf(operation),
            BROADCAST: broadcastNumber,
            ITEMS: items,
            STEP: hardware ? 64 : 1,
          },
        },
        bindings: [left, right, result],
        parameters: { vectors, channels, a, b },
        workgroups: foldWorkgroups(
          Math.ceil(vectors / items / 64),
          lowering.adapter.limits.maxComputeWorkgroupsPerDimension,
        ),
        flops: count,
      });
    },
    gradient(node, [gradient], graph) {
      const [left, right] = node.inputs;
      const [result] = node.outputs;
      if (!gradient || !left || !result) return [];
      return right
        ? binaryGradient(node, gradient, left, right, result, graph)
        : [unaryGradient(node, gradient, left, result, graph)];
    },
  };
}

function binaryGradient(
  node: Node<ElementwiseAttributes>,
  gradient: Tensor,
  left: Tensor,
  right: Tensor,
  result: Tensor,
  graph: Graph,
): Tensor[] {
  const { operation, broadcast } = node.attributes;
  // What flows to every element of the right operand, summed to the operand's own size.
  const gathered = (each: Tensor): Tensor => {
    if (broadcast === 'none') return each;
    const sum =
      broadcast === 'scalar' ? reduce(graph, each, { operation: 'sum', over: 'all' }) : channelSum(graph, each);
    return graph.reshape(sum, right.shape);
  };
  const by = (other: ElementwiseOperation, factor: Tensor): Tensor =>
    combine(graph, other, gradient, factor, factor === right ? broadcast : 'none');
  switch (operation) {
    case 'add':
      return [gradient, gathered(gradient)];
    case 'subtract':
      return [gradient, gathered(affine(graph, gradient, -1, 0))];
    case 'multiply':
      return [by('multiply', right), gathered(by('multiply', left))];
    case 'divide': {
      const byLeft = by('divide', right);
      return [byLeft, gathered(affine(graph, multiply(graph, byLeft, result), -1, 0))];
    }
    default:
      throw new Error(`elementwise ${operation} has no gradient`);
  }
}

function unaryGradient(
  node: Node<ElementwiseAttributes>,
  gradient: Tensor,
  input: Tensor,
  result: Tensor,
  graph: Graph,
): Tensor {
  const { operation, a } = node.attributes;
  const rule = (name: ElementwiseOperation, saved: Tensor): Tensor =>
    apply(graph, name, [saved, gradient], 'none', a, 0);
  switch (operation) {
    case 'affine':
      return affine(graph, gradient, a, 0);
    case 'exp':
      return multiply(graph, gradient, result);
    case 'log':
      return divide(graph, gradient, input);
    // From the result, so that the input needs no memory and a convolution before can take the activation into its store.
    case 'relu':
    case 'relu6':
    case 'tanh':
    case 'sigmoid':
    case 'sqrt':
      return rule(`${operation}-gradient`, result);
    case 'softplus':
    case 'square':
    case 'abs':
    case 'clamp-min':
      return rule(`${operation}-gradient`, input);
    default:
      throw new Error(`elementwise ${operation} has no gradient`);
  }
}

const operators = new Map(operations.map((operation) => [operation, elementwiseOperator(operation)]));

function apply(
  graph: Graph,
  operation: ElementwiseOperation,
  inputs: readonly Tensor[],
  broadcast: Broadcast,
  a: number,
  b: number,
): Tensor {
  const [first] = inputs;
  const operator = operators.get(operation);
  if (!first || !operator) throw new Error(`${operation} wants an input`);
  return graph.apply(operator, inputs, { operation, broadcast, a, b }, first.shape);
}

function combine(
  graph: Graph,
  operation: ElementwiseOperation,
  left: Tensor,
  right: Tensor,
  broadcast: Broadcast = 'none',
): Tensor {
  if (broadcast === 'none') sameSize(operation, left, right);
  const size = elementCount(right.shape);
  if (broadcast === 'scalar' && size !== 1) throw wrong(operation, `wants one number, ${right.name} has ${size}`);
  if (broadcast === 'channels' && size !== left.shape.at(-1)) {
    throw wrong(operation, `wants one number for each of ${left.shape.at(-1)} channels, ${right.name} has ${size}`);
  }
  return apply(graph, operation, [left, right], broadcast, 0, 0);
}

const single = (graph: Graph, operation: ElementwiseOperation, input: Tensor, a = 0, b = 0): Tensor =>
  apply(graph, operation, [input], 'none', a, b);

/** `left + right`, of one shape. Fused into the operator before it where that can take a residual. */
export const add = (graph: Graph, left: Tensor, right: Tensor): Tensor => combine(graph, 'add', left, right);
/** `left − right`, of one shape. */
export const subtract = (graph: Graph, left: Tensor, right: Tensor): Tensor => combine(graph, 'subtract', left, right);
/** `left · right`, of one shape. */
export const multiply = (graph: Graph, left: Tensor, right: Tensor): Tensor => combine(graph, 'multiply', left, right);
/** `left / right`, of one shape. */
export const divide = (graph: Graph, left: Tensor, right: Tensor): Tensor => combine(graph, 'divide', left, right);

/** `input · scalar`, for a scalar that is a tensor of one element. */
export const scaleBy = (graph: Graph, input: Tensor, scalar: Tensor): Tensor =>
  combine(graph, 'multiply', input, scalar, 'scalar');
/** `input · scale` with one factor a channel: `[…, channels]` by `[channels]`. */
export const channelScale = (graph: Graph, input: Tensor, scale: Tensor): Tensor =>
  combine(graph, 'multiply', input, scale, 'channels');
/** `input + shift` with one summand a channel: `[…, channels]` by `[channels]`. */
export const channelShift = (graph: Graph, input: Tensor, shift: Tensor): Tensor =>
  combine(graph, 'add', input, shift, 'channels');

/** `scale · input + shift` with constants. */
export const affine = (graph: Graph, input: Tensor, scale: number, shift: number): Tensor =>
  single(graph, 'affine', input, scale, shift);
/** `−input`. */
export const negate = (graph: Graph, input: Tensor): Tensor => affine(graph, input, -1, 0);
/** `max(input, 0)`. */
export const relu = (graph: Graph, input: Tensor): Tensor => single(graph, 'relu', input);
/** `min(max(input, 0), 6)`. */
export const relu6 = (graph: Graph, input: Tensor): Tensor => single(graph, 'relu6', input);
/** Hyperbolic tangent. */
export const tanh = (graph: Graph, input: Tensor): Tensor => single(graph, 'tanh', input);
/** `e^input`. */
export const exp = (graph: Graph, input: Tensor): Tensor => single(graph, 'exp', input);
/** Natural logarithm; inputs must be positive. */
export const log = (graph: Graph, input: Tensor): Tensor => single(graph, 'log', input);
/** `log(1 + e^(beta · input)) / beta`, without overflow. */
export const softplus = (graph: Graph, input: Tensor, beta = 1): Tensor => single(graph, 'softplus', input, beta);
/** `1 / (1 + e^−input)`. */
export const sigmoid = (graph: Graph, input: Tensor): Tensor => single(graph, 'sigmoid', input);
/** Square root; its gradient is infinite at 0. */
export const sqrt = (graph: Graph, input: Tensor): Tensor => single(graph, 'sqrt', input);
/** `input²`. */
export const square = (graph: Graph, input: Tensor): Tensor => single(graph, 'square', input);
/** `|input|`; its gradient at 0 is 0. */
export const abs = (graph: Graph, input: Tensor): Tensor => single(graph, 'abs', input);
/** `max(input, minimum)`; where it clamps no gradient flows. */
export const clampMin = (graph: Graph, input: Tensor, minimum: number): Tensor =>
  single(graph, 'clamp-min', input, minimum);
