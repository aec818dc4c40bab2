import { describe, expect, it } from 'vitest';
import { Graph } from '../../src/engine/graph.js';
import { concat, slice, split } from '../../src/kernels/concat.js';
import { multiply } from '../../src/kernels/elementwise.js';
import { testGpu } from '../gpu.js';
import { array64, build64, exact, type Array64 } from '../reference/array64.js';
import naive from '../reference/concat-naive.wgsl';
import { concatReference, sliceReference } from '../reference/concat.js';
import { twin } from '../reference/twin.js';
import { only, testCases, type KernelCase } from './cases.js';
import { expectGradient } from './gradient-check.js';
import { expectWithin, randomTensor, runOperator } from './harness.js';

const pairs = [
  [
    [1, 1, 1, 1],
    [1, 1, 1, 1],
  ],
  [
    [2, 5, 3, 3],
    [2, 5, 3, 7],
  ],
  [
    [2, 3, 7, 8],
    [2, 3, 7, 4],
  ],
] as const;

function joining([left, right]: readonly [readonly number[], readonly number[]]): KernelCase {
  const inputs = [randomTensor(left, 1), randomTensor(right, 2)];
  const values = concatReference(inputs.map(array64), 3);
  const parameters = { first: left[3] ?? 0, second: right[3] ?? 0 };
  return {
    name: `[${left.join(', ')}] and [${right.join(', ')}] along channels`,
    inputs,
    kernel: (graph, tensors) => concat(graph, tensors),
    twin: (graph, tensors) => twin(graph, 'concat', naive, tensors, parameters, values.shape),
    reference: exact(values),
    shape: values.shape,
  };
}

describe('concat, slice and split', () => {
  testCases(pairs.map(joining));

  it('joins three tensors along other axes, and split undoes it', async () => {
    const gpu = await testGpu();
    const inputs = [randomTensor([2, 1, 3], 1), randomTensor([2, 4, 3], 2), randomTensor([2, 2, 3], 3)];
    const [joined, ...parts] = await runOperator(gpu, inputs, (graph, tensors) => {
      const all = concat(graph, tensors, 1);
      return [all, ...split(graph, all, [1, 4, 2], 1), slice(graph, all, 2, 6, -2)];
    });
    const expected = concatReference(inputs.map(array64), 1);
    expectWithin(joined?.data ?? new Float32Array(), exact(expected));
    inputs.forEach((input, index) => expect(parts[index]).toEqual(input));
    expectWithin(parts[3]?.data ?? new Float32Array(), exact(sliceReference(expected, 2, 6, 1)));
  });

  it('has gradients', async () => {
    const gpu = await testGpu();
    const inputs = [randomTensor([2, 3, 3], 1), randomTensor([2, 3, 5], 2)];
    await expectGradient(
      gpu,
      inputs,
      (graph, tensors) => concat(graph, tensors),
      (tensors) => concatReference(tensors, 2),
    );
    const wide = randomTensor([3, 6], 4);
    const parts = (x: Array64): Array64[] => [sliceReference(x, 0, 2, 1), sliceReference(x, 2, 4, 1)];
    await expectGradient(
      gpu,
      [wide],
      (graph, tensors) => {
        // The last part is not used: no gradient comes back from it.
        const [a, b] = split(graph, only(tensors), [2, 2, 2]);
        if (!a || !b) throw new Error('no parts');
        return multiply(graph, a, b);
      },
      ([x]) => {
        const [a, b] = parts(x ?? array64(wide));
        return build64([3, 2], (index) => (a?.data[index] ?? NaN) * (b?.data[index] ?? NaN));
      },
    );
    await expectGradient(
      gpu,
      [wide],
      (graph, tensors) => slice(graph, only(tensors), 1, 4),
      ([x]) => sliceReference(x ?? array64(wide), 1, 4, 1),
    );
  });

  it('refuses what does not fit', () => {
    const graph = new Graph('test');
    const [a, b] = [graph.input('a', [2, 3]), graph.input('b', [3, 3])];
    expect(() => concat(graph, [a, b])).toThrow(/\[3, 3\] does not fit \[2, 3\] along axis 1/);
    expect(() => split(graph, a, [1, 1])).toThrow(/do not add up to 3/);
    expect(() => slice(graph, a, 2, 4)).toThrow(/2 to 4 of 3/);
    expect(() => concat(graph, [a, a], 2)).toThrow(/no axis 2/);
  });
});
