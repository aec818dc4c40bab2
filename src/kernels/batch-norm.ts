import { foldWorkgroups } from '../engine/kernel.js';
import type { Graph, Lowering, Operator, Tensor } from '../engine/graph.js';
import { elementCount, type HostTensor } from '../engine/tensor.js';
import source from './batch-norm.wgsl';
import foldSource from './fold-batch-norm.wgsl';

/** The four vectors of a batch normalisation, one value a channel each. */
export interface BatchNormParameters {
  /** Scale (gamma). */
  readonly weight: Tensor;
  /** Shift (beta). */
  readonly bias: Tensor;
  readonly mean: Tensor;
  /** Variance, not its root. */
  readonly variance: Tensor;
}

/** What a batch-norm node carries besides tensors. */
export interface BatchNormAttributes {
  readonly epsilon: number;
}

/** Inputs: `[x, weight, bias, mean, variance]`. */
export const batchNormOperator: Operator<BatchNormAttributes> = {
  name: 'batch-norm',
  lower(node, lowering) {
    const [result] = node.outputs;
    const channels = node.inputs[1]?.shape[0];
    if (!result || channels === undefined) throw new Error('batch-norm wants five inputs');
    const count = elementCount(result.shape);
    lowering.dispatch({
      kernel: { name: 'batch-norm', source },
      bindings: [...node.inputs, result],
      parameters: { count, channels, epsilon: node.attributes.epsilon },
      workgroups: foldWorkgroups(Math.ceil(count / 64), lowering.adapter.limits.maxComputeWorkgroupsPerDimension),
      flops: 2 * count,
    });
  },
};

/**
 * Batch normalisation in its inference form: `(x − mean) / √(variance + epsilon) · weight + bias` over the last
 * dimension of `x`. Folded into the weights and bias of a convolution or matrix product before it.
 */
export function batchNorm(graph: Graph, x: Tensor, parameters: BatchNormParameters, epsilon = 1e-5): Tensor {
  const { weight, bias, mean, variance } = parameters;
  const channels = x.shape.at(-1) ?? 0;
  for (const [name, tensor] of Object.entries(parameters) as [string, Tensor][]) {
    if (elementCount(tensor.shape) !== channels) {
      throw new Error(`batch norm of [${x.shape.join(', ')}]: ${name} is [${tensor.shape.join(', ')}]`);
    }
  }
  return graph.apply(batchNormOperator, [x, weight, bias, mean, variance], { epsilon }, x.shape);
}

/** Weights and bias with a batch normalisation folded in; `weight` has the output channels as its last dimension. */
export interface Folded {
  readonly weight: Tensor;
  readonly bias: Tensor;
}

/**
 * Folds a batch normalisation into the weights and bias before it: on the host while loading where all contents are
 * known and stay as they are, else by a kernel in every run.
 */
export function foldBatchNorm(
  lowering: Lowering,
  weight: Tensor,
  bias: Tensor | undefined,
  { weight: scale, bias: shift, mean, variance }: BatchNormParameters,
  epsilon: number,
): Folded {
  const channels = weight.shape.at(-1) ?? 0;
  const key = `batch-norm(${scale.name})`;
  const vectors = [scale, shift, mean, variance, ...(bias ? [bias] : [])];
  // Asking for a derived tensor tells whether a parameter can change; what nothing binds takes no memory.
  const known = vectors.every((vector) => lowering.derived(vector, 'constant', vector.shape, (host) => host));
  const factors = (): Float32Array => factorsOf(contents(scale), contents(variance), epsilon);
  const folded = lowering.derived(weight, key, weight.shape, (host) => {
    const factor = factors();
    return { shape: host.shape, data: host.data.map((value, index) => value * (factor[index % channels] ?? 0)) };
  });
  const foldedBias = lowering.derived(shift, `folded(${weight.name})`, [channels], (host) => {
    const factor = factors();
    const before = bias ? contents(bias).data : new Float32Array(channels);
    const means = contents(mean).data;
    const data = host.data.map((value, c) => ((before[c] ?? 0) - (means[c] ?? 0)) * (factor[c] ?? 0) + value);
    return { shape: [channels], data };
  });
  if (known && folded && foldedBias) return { weight: folded, bias: foldedBias };

  const count = elementCount(weight.shape);
  const onDevice = {
    weight: lowering.temporary(`${weight.name} folded`, weight.shape),
    bias: lowering.temporary(`${weight.name} folded bias`, [channels]),
  };
  lowering.dispatch({
    kernel: { name: 'fold-batch-norm', source: foldSource },
    bindings: [weight, bias ?? shift, scale, shift, mean, variance, onDevice.weight, onDevice.bias],
    parameters: { count, out_channels: channels, has_bias: bias ? 1 : 0, epsilon },
    workgroups: foldWorkgroups(Math.ceil(count / 64), lowering.adapter.limits.maxComputeWorkgroupsPerDimension),
    flops: count,
  });
  return onDevice;
}

function contents(tensor: Tensor): HostTensor {
  if (!tensor.contents) throw new Error(`the contents of ${tensor.name} are not known`);
  return tensor.contents();
}

function factorsOf(scale: HostTensor, variance: HostTensor, epsilon: number): Float32Array {
  return scale.data.map((value, c) => value / Math.sqrt((variance.data[c] ?? 0) + epsilon));
}
