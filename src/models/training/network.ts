import type { Graph, Tensor } from '../../engine/graph.js';
import { elementCount, type HostTensor, type Shape } from '../../engine/tensor.js';
import { batchNormTraining } from '../../kernels/batch-norm-training/batch-norm-training.js';
import { batchNorm } from '../../kernels/batch-norm.js';
import { conv2d } from '../../kernels/conv2d/conv2d.js';
import type { Conv2dOptions } from '../../kernels/conv2d/shape.js';
import { addBias } from '../../kernels/epilogue.js';
import { randomNumbers, type RandomNumbers } from './random.js';

/** The first value of each element of a parameter, given the random numbers that belong to its name. */
export type Initial = (random: RandomNumbers, shape: Shape) => Float32Array;

/** A parameter of a network, as the network declares it. */
export interface ParameterDeclaration {
  readonly name: string;
  readonly shape: Shape;
  readonly initial: Initial;
  /** False for running statistics, which follow the batches instead of a gradient. */
  readonly trained: boolean;
}

/** Where a network is built, and for what. Networks are functions that take one of these and append operators. */
export interface Network {
  readonly graph: Graph;
  /** True in a training step: batch norm by the batch's own statistics. */
  readonly training: boolean;
  /** Seed of the run, for fixed random choices such as a permutation of channels. */
  readonly seed: number;
  /** Declares a parameter that is trained. */
  parameter(name: string, shape: Shape, initial: Initial): Tensor;
  /** Declares a parameter that operators update in place, without gradient. */
  statistic(name: string, shape: Shape, initial: Initial): Tensor;
}

/** A network whose parameters are new parameters of the graph, and a list of what it declares. */
export function declaringNetwork(
  graph: Graph,
  training: boolean,
  seed: number,
): {
  readonly network: Network;
  readonly declared: Map<string, { declaration: ParameterDeclaration; tensor: Tensor }>;
} {
  const declared = new Map<string, { declaration: ParameterDeclaration; tensor: Tensor }>();
  const declare = (name: string, shape: Shape, initial: Initial, trained: boolean): Tensor => {
    if (declared.has(name)) throw new Error(`the network declares ${name} twice`);
    const tensor = graph.parameter(name, shape, { owner: 'position' });
    declared.set(name, { declaration: { name, shape, initial, trained }, tensor });
    return tensor;
  };
  const network: Network = {
    graph,
    training,
    seed,
    parameter: (name, shape, initial) => declare(name, shape, initial, true),
    statistic: (name, shape, initial) => declare(name, shape, initial, false),
  };
  return { network, declared };
}

/** The first values of a parameter: they depend on the seed and the parameter's name alone. */
export function initialValues({ name, shape, initial }: ParameterDeclaration, seed: number): HostTensor {
  return { shape, data: initial(randomNumbers(seed, name), shape) };
}

/** One value everywhere. */
export function constant(value: number): Initial {
  return (_, shape) => new Float32Array(elementCount(shape)).fill(value);
}

/** Uniform in ±1/√fan-in, PyTorch's default for convolutions and their biases. */
export function uniformFanIn(fanIn: number): Initial {
  const bound = 1 / Math.sqrt(fanIn);
  return (random, shape) =>
    Float32Array.from({ length: elementCount(shape) }, () => (2 * random.uniform() - 1) * bound);
}

/** Normal with variance 2 / fan-out (He et al. 2015), for convolutions `[kh, kw, in, out]` before a ReLU. */
export const heNormal: Initial = (random, shape) => {
  const [height = 1, width = 1, , outputs = 1] = shape;
  const deviation = Math.sqrt(2 / (height * width * outputs));
  return Float32Array.from({ length: elementCount(shape) }, () => random.normal() * deviation);
};

/** How a convolution layer is made. */
export interface ConvolutionLayerOptions extends Conv2dOptions {
  /** Side of the square kernel; the output keeps the size at stride 1 unless `padding` says otherwise. */
  readonly kernel: number;
  /** Default PyTorch's, {@link uniformFanIn}. */
  readonly initial?: Initial;
  /** Default true. */
  readonly bias?: boolean;
}

/** A convolution with parameters of its own: `<name>.weight [k, k, in, out]` and `<name>.bias [out]`. */
export function convolutionLayer(
  network: Network,
  x: Tensor,
  name: string,
  outChannels: number,
  options: ConvolutionLayerOptions,
): Tensor {
  const { graph } = network;
  const { kernel, initial, bias = true, ...rest } = options;
  const inChannels = x.shape.at(-1) ?? 0;
  const fanIn = kernel * kernel * inChannels;
  const first = initial ?? uniformFanIn(fanIn);
  const weight = network.parameter(`${name}.weight`, [kernel, kernel, inChannels, outChannels], first);
  const sum = conv2d(graph, x, weight, { padding: (kernel - 1) >> 1, ...rest });
  return bias ? addBias(graph, sum, network.parameter(`${name}.bias`, [outChannels], uniformFanIn(fanIn))) : sum;
}

/**
 * Batch norm with parameters of its own: `<name>.weight`, `<name>.bias` and the running statistics `<name>.mean` and
 * `<name>.variance`. In training by the batch's statistics, else by the running ones.
 */
export function batchNormLayer(network: Network, x: Tensor, name: string): Tensor {
  const shape = [x.shape.at(-1) ?? 0];
  const parameters = {
    weight: network.parameter(`${name}.weight`, shape, constant(1)),
    bias: network.parameter(`${name}.bias`, shape, constant(0)),
    mean: network.statistic(`${name}.mean`, shape, constant(0)),
    variance: network.statistic(`${name}.variance`, shape, constant(1)),
  };
  return network.training ? batchNormTraining(network.graph, x, parameters) : batchNorm(network.graph, x, parameters);
}
