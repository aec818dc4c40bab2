import { expect } from 'vitest';
import { gradients } from '../../src/engine/gradients.js';
import type { Gpu } from '../../src/engine/gpu.js';
import type { Graph, Tensor } from '../../src/engine/graph.js';
import type { HostTensor } from '../../src/engine/tensor.js';
import { add, multiply } from '../../src/kernels/elementwise.js';
import { reduce } from '../../src/kernels/reduce.js';
import { array64, numericGradient, type Array64 } from '../reference/array64.js';
import { randomTensor, runOperator } from './harness.js';

/**
 * Compares the gradients that an operator's rule gives, of the sum of its output times random numbers, with central
 * differences of the f64 reference, for every input.
 *
 * @param tolerance error allowed, relative to the largest gradient of the input.
 */
export async function expectGradient(
  gpu: Gpu,
  inputs: readonly HostTensor[],
  build: (graph: Graph, tensors: readonly Tensor[]) => Tensor,
  reference: (inputs: readonly Array64[]) => Array64,
  tolerance = 1e-5,
): Promise<void> {
  const given = inputs.map(array64);
  const weights = randomTensor(reference(given).shape, 77);
  const results = await runOperator(gpu, [...inputs, weights], (graph, tensors) => {
    const wanted = tensors.slice(0, inputs.length);
    const output = build(graph, wanted);
    const factor = tensors[inputs.length];
    if (!factor) throw new Error('no weights');
    const loss = reduce(graph, multiply(graph, output, factor), { operation: 'sum', over: 'all' });
    return gradients(graph, loss, wanted, add);
  });
  given.forEach((input, index) => {
    const along = (x: Array64): Array64 => reference(given.with(index, x));
    const expected = numericGradient(along, input, weights.data).data;
    const scale = Math.max(...expected.map(Math.abs));
    const actual = results[index]?.data ?? new Float32Array();
    expect(actual.length).toBe(expected.length);
    expected.forEach((value, element) => {
      const error = Math.abs((actual[element] ?? NaN) - value);
      if (!(error <= tolerance * scale)) {
        expect.fail(`gradient of input ${index}, element ${element}: got ${actual[element]}, want ${value}`);
      }
    });
  });
}
