import { Graph, type Tensor } from '../../src/engine/graph.js';
import type { HostTensor } from '../../src/engine/tensor.js';
import { conv2d } from '../../src/kernels/conv2d/conv2d.js';
import { relu, square } from '../../src/kernels/elementwise.js';
import { addBias } from '../../src/kernels/epilogue.js';
import { reduce } from '../../src/kernels/reduce.js';
import { trainingStep, type TrainingStep } from '../../src/models/training/step.js';
import { randomNumbers } from '../random.js';
import type { StackJob } from './engine.js';

/** The batch that a stack is trained on, NHWC. */
export function stackInput({ batch, size, channels }: StackJob): Float32Array {
  return randomNumbers(batch * size * size * channels, 1);
}

/** Initial weights [3, 3, channels, channels] of a stack's convolutions, of He et al.'s variance; biases are zeros. */
export function stackWeights({ channels, depth }: StackJob): HostTensor[] {
  const scale = Math.sqrt(6 / (9 * channels));
  return Array.from({ length: depth }, (_, index) => ({
    shape: [3, 3, channels, channels],
    data: randomNumbers(9 * channels * channels, 10 + index, scale),
  }));
}

/** Arithmetic of one training step: forward, and twice as much backward but for the input's gradient of the first layer. */
export function stackFlops({ batch, size, channels, depth }: StackJob): number {
  return (3 * depth - 1) * 2 * batch * size * size * 9 * channels * channels;
}

/** The training step of a stack on our engine. */
export function appendStack(job: StackJob): {
  input: Tensor;
  step: TrainingStep;
  /** Weights and what they start with; written before the first step. */
  weights: readonly { readonly tensor: Tensor; readonly host: HostTensor }[];
} {
  const graph = new Graph('stack');
  const { batch, size, channels } = job;
  const input = graph.input('batch', [batch, size, size, channels]);
  const weights: { tensor: Tensor; host: HostTensor }[] = [];
  const biases: Tensor[] = [];
  let x = input;
  for (const [index, host] of stackWeights(job).entries()) {
    const weight = graph.parameter(`weight ${index}`, host.shape);
    const bias = graph.parameter(`bias ${index}`, [channels]);
    weights.push({ tensor: weight, host });
    biases.push(bias);
    x = relu(graph, addBias(graph, conv2d(graph, x, weight, { padding: 1 }), bias));
  }
  const loss = reduce(graph, square(graph, x), { operation: 'mean', over: 'all' });
  const trained = [...weights.map(({ tensor }) => tensor), ...biases];
  const step = trainingStep(graph, graph.reshape(loss, [1]), trained, {
    kind: 'adam',
    betas: [0.9, 0.999],
    epsilon: 1e-7,
    weightDecay: 0,
  });
  return { input, step, weights };
}
