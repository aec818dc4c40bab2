import { expect, it } from 'vitest';
import type { Graph, Tensor } from '../../src/engine/graph.js';
import type { HostTensor } from '../../src/engine/tensor.js';
import { testGpu } from '../gpu.js';
import { expectWithin, runOperator, type Reference } from './harness.js';

/** One shape of an operator: the kernel and its naïve twin, both held against the f64 reference. */
export interface KernelCase {
  readonly name: string;
  readonly inputs: readonly HostTensor[];
  readonly kernel: (graph: Graph, inputs: readonly Tensor[]) => Tensor;
  readonly twin: (graph: Graph, inputs: readonly Tensor[]) => Tensor;
  readonly reference: Reference;
  readonly shape: readonly number[];
  /** Variants to force by operator, each of which is run; default only the one that is chosen. */
  readonly variants?: readonly Readonly<Record<string, string>>[];
}

/** Makes a test of every case. */
export function testCases(cases: readonly KernelCase[]): void {
  for (const { name, inputs, kernel, twin, reference, shape, variants = [{}] } of cases) {
    it(name, async () => {
      const gpu = await testGpu();
      for (const kernels of variants) {
        const [result] = await runOperator(gpu, inputs, (graph, tensors) => [kernel(graph, tensors)], { kernels });
        expect(result?.shape).toEqual(shape);
        expectWithin(result?.data ?? new Float32Array(), reference);
      }
      const [result] = await runOperator(gpu, inputs, (graph, tensors) => [twin(graph, tensors)]);
      expectWithin(result?.data ?? new Float32Array(), reference);
    });
  }
}

/** The only input of an operator. */
export function only(inputs: readonly Tensor[]): Tensor {
  const [first] = inputs;
  if (!first) throw new Error('no input');
  return first;
}
