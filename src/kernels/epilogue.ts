import { foldWorkgroups } from '../engine/kernel.js';
import type { Graph, Lowering, Node, Operator, Tensor } from '../engine/graph.js';
import { elementCount } from '../engine/tensor.js';
import source from './add-bias.wgsl';
import { foldBatchNorm, type BatchNormAttributes } from './batch-norm.js';
import { channelSum } from './channel-sum.js';

/** What an operator does to its sum before it stores it, in this order: batch norm, bias, residual, activation. */
export interface Epilogue {
  readonly bias: boolean;
  /** Its epsilon; the four vectors follow the bias among the node's inputs. */
  readonly batchNorm: number | undefined;
  readonly residual: boolean;
  readonly activation: 'none' | 'relu' | 'relu6';
}

/** Nothing but the sum. */
export const plainEpilogue: Epilogue = { bias: false, batchNorm: undefined, residual: false, activation: 'none' };

/** Attributes of an operator that takes an epilogue; its inputs are two operands, then those of the epilogue. */
export interface WithEpilogue {
  readonly epilogue: Epilogue;
}

/**
 * The `fuse` of such an operator. A stage that comes earlier in the store than one that is already there is refused, so
 * `relu` then `add` stays two operators.
 */
export function fuseEpilogue<A extends WithEpilogue>(
  node: Node<A>,
  next: Node,
): { inputs: readonly Tensor[]; attributes: A } | undefined {
  const { epilogue } = node.attributes;
  const [output] = node.outputs;
  if (!output || epilogue.activation !== 'none') return undefined;
  const fused = (
    added: readonly Tensor[],
    change: Partial<Epilogue>,
  ): { inputs: readonly Tensor[]; attributes: A } => ({
    inputs: [...node.inputs, ...added],
    attributes: { ...node.attributes, epilogue: { ...epilogue, ...change } },
  });
  const others = next.inputs.filter((input) => input !== output);
  switch (next.operator.name) {
    case 'add-bias':
      if (epilogue.bias || epilogue.batchNorm !== undefined || epilogue.residual) return undefined;
      return others.length === 1 && next.inputs[0] === output ? fused(others, { bias: true }) : undefined;
    case 'batch-norm':
      if (epilogue.batchNorm !== undefined || epilogue.residual) return undefined;
      return others.length === 4 && next.inputs[0] === output
        ? fused(others, { batchNorm: (next.attributes as BatchNormAttributes).epsilon })
        : undefined;
    case 'add': {
      if (epilogue.residual || others.length !== 1) return undefined;
      // A sum with one number a channel is an `add` too.
      const whole = others[0]?.dtype === 'f32' && elementCount(others[0].shape) === elementCount(output.shape);
      return whole ? fused(others, { residual: true }) : undefined;
    }
    case 'relu':
    case 'relu6':
      return fused([], { activation: next.operator.name });
    default:
      return undefined;
  }
}

/** A node's tensors after its batch norm is folded in: what a kernel with an epilogue is bound to. */
export interface EpilogueInputs {
  /** The second operand, scaled by the batch norm. */
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;
  readonly residual: Tensor | undefined;
  /** Fields `has_bias`, `has_residual` and `activation` of the kernel's Params. */
  readonly parameters: { readonly has_bias: number; readonly has_residual: number; readonly activation: number };
}

/** Reads the epilogue's tensors out of a node's inputs and folds the batch norm into weights and bias. */
export function epilogueInputs(node: Node<WithEpilogue>, lowering: Lowering): EpilogueInputs {
  const { epilogue } = node.attributes;
  const rest = [...node.inputs.slice(2)];
  let weight = node.inputs[1];
  let bias = epilogue.bias ? rest.shift() : undefined;
  if (!weight) throw new Error(`${node.operator.name} wants two operands`);
  if (epilogue.batchNorm !== undefined) {
    const [scale, shift, mean, variance] = rest.splice(0, 4);
    if (!scale || !shift || !mean || !variance) throw new Error(`${node.operator.name}: batch norm wants four vectors`);
    const vectors = { weight: scale, bias: shift, mean, variance };
    ({ weight, bias } = foldBatchNorm(lowering, weight, bias, vectors, epilogue.batchNorm));
  }
  const residual = epilogue.residual ? rest.shift() : undefined;
  return {
    weight,
    bias,
    residual,
    parameters: {
      has_bias: bias ? 1 : 0,
      has_residual: residual ? 1 : 0,
      activation: ['none', 'relu', 'relu6'].indexOf(epilogue.activation),
    },
  };
}

const addBiasOperator: Operator<undefined> = {
  name: 'add-bias',
  lower(node, lowering) {
    const [x, bias] = node.inputs;
    const [result] = node.outputs;
    if (!x || !bias || !result) throw new Error('add-bias wants two inputs');
    const count = elementCount(x.shape);
    lowering.dispatch({
      kernel: { name: 'add-bias', source },
      bindings: [x, bias, result],
      parameters: { count, channels: elementCount(bias.shape) },
      workgroups: foldWorkgroups(Math.ceil(count / 64), lowering.adapter.limits.maxComputeWorkgroupsPerDimension),
      flops: count,
    });
  },
  gradient(node, [gradient], graph) {
    const [, bias] = node.inputs;
    return gradient && bias ? [gradient, graph.reshape(channelSum(graph, gradient), bias.shape)] : [];
  },
};

/** `x + bias`, where `bias` has one value a channel (the last dimension of `x`). Fused into a sum before it. */
export function addBias(graph: Graph, x: Tensor, bias: Tensor): Tensor {
  if (elementCount(bias.shape) !== x.shape.at(-1)) {
    throw new Error(`bias [${bias.shape.join(', ')}] does not fit [${x.shape.join(', ')}]`);
  }
  return graph.apply(addBiasOperator, [x, bias], undefined, x.shape);
}
