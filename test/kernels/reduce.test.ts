import { describe, expect, it } from 'vitest';
import { elementCount, type HostTensor } from '../../src/engine/tensor.js';
import { argmax } from '../../src/kernels/argmax.js';
import { channelSum } from '../../src/kernels/channel-sum.js';
import { expand } from '../../src/kernels/expand.js';
import { mapPeak, reduce, type ReduceOperation } from '../../src/kernels/reduce.js';
import { testGpu } from '../gpu.js';
import { absolute, array64, bounded, exact, type Array64 } from '../reference/array64.js';
import naive from '../reference/reduce-naive.wgsl';
import { argmaxReference, channelSumReference, reduceReference } from '../reference/reduce.js';
import { twin } from '../reference/twin.js';
import { only, testCases, type KernelCase } from './cases.js';
import { expectGradient } from './gradient-check.js';
import { expectWithin, randomTensor, runOperator } from './harness.js';

const operations: ReduceOperation[] = ['sum', 'max', 'mean', 'countNonFinite'];
// The last takes two levels of the tree for each image.
const shapes = [
  [1, 1],
  [3, 7, 5, 3],
  [2, 64, 65],
];

function reducing(shape: readonly number[], operation: ReduceOperation, over: 'perImage' | 'all'): KernelCase {
  const host = randomTensor(shape, 8);
  if (operation === 'countNonFinite') {
    [NaN, Infinity, -Infinity].forEach((value, index) => (host.data[(index * 17) % host.data.length] = value));
  }
  // All maxima negative: padding of a share must not win.
  if (operation === 'max') host.data.forEach((value, index) => (host.data[index] = value - 2));
  const groups = over === 'all' ? 1 : (shape[0] ?? 1);
  const input = array64(host);
  const values = reduceReference(input, operation, groups);
  const length = elementCount(shape) / groups;
  const parameters = { length, stride: length, step: 1, operation: operations.indexOf(operation) };
  const rounded = operation === 'sum' || operation === 'mean';
  return {
    name: `${operation} of [${shape.join(', ')}], ${over}`,
    inputs: [host],
    kernel: (graph, inputs) => reduce(graph, only(inputs), { operation, over }),
    twin: (graph, inputs) => twin(graph, 'reduce', naive, inputs, parameters, values.shape),
    reference: rounded ? bounded(values, reduceReference(absolute(input), operation, groups), length) : exact(values),
    shape: [groups],
  };
}

function summing(shape: readonly number[]): KernelCase {
  const host = randomTensor(shape, 9);
  const input = array64(host);
  const channels = shape.at(-1) ?? 1;
  const length = elementCount(shape) / channels;
  const values = channelSumReference(input);
  return {
    name: `channel sums of [${shape.join(', ')}]`,
    inputs: [host],
    kernel: (graph, inputs) => channelSum(graph, only(inputs)),
    twin: (graph, inputs) =>
      twin(graph, 'reduce', naive, inputs, { length, stride: 1, step: channels, operation: 0 }, [channels]),
    reference: bounded(values, channelSumReference(absolute(input)), length),
    shape: [channels],
  };
}

function highest(shape: readonly number[], host: HostTensor): KernelCase {
  const input = array64(host);
  const groups = shape[0] ?? 1;
  const length = elementCount(shape) / groups;
  return {
    name: `index of the greatest of [${shape.join(', ')}]`,
    inputs: [host],
    kernel: (graph, inputs) => argmax(graph, only(inputs)).index,
    twin: (graph, inputs) =>
      twin(graph, 'reduce', naive, inputs, { length, stride: length, step: 1, operation: 4 }, [groups]),
    reference: exact(argmaxReference(input, groups)),
    shape: [groups],
  };
}

/** Few different values, so that the greatest occurs often. */
function coarse(shape: readonly number[]): HostTensor {
  const host = randomTensor(shape, 10);
  host.data.forEach((value, index) => (host.data[index] = Math.round(value * 4) / 4));
  return host;
}

describe('reductions', () => {
  testCases(
    shapes.flatMap((shape) =>
      operations.flatMap((operation) => [
        reducing(shape, operation, 'perImage'),
        ...(operation === 'sum' || operation === 'max' ? [reducing(shape, operation, 'all')] : []),
      ]),
    ),
  );
  testCases(
    [
      [1, 1],
      [2, 5, 7, 3],
      [5000, 1],
      [3, 130, 67],
    ].map(summing),
  );
  testCases(
    [
      [1, 1],
      [3, 4100],
      [2, 9, 11, 1],
    ].map((shape) => highest(shape, coarse(shape))),
  );

  it('spreads numbers over groups, and takes the peak of maps', async () => {
    const gpu = await testGpu();
    const maps = randomTensor([2, 5, 7], 3);
    const [peaks, spread] = await runOperator(gpu, [maps], (graph, inputs) => {
      const peak = mapPeak(graph, only(inputs));
      return [peak, expand(graph, peak, [2, 3, 3], -2)];
    });
    const expected = reduceReference(array64(maps), 'max', 2);
    expectWithin(peaks?.data ?? new Float32Array(), exact(expected));
    expect([...(spread?.data ?? [])]).toEqual(
      Array.from({ length: 18 }, (_, i) => -2 * (expected.data[i < 9 ? 0 : 1] ?? 0)),
    );
  });

  it('finds an infinite maximum', async () => {
    const gpu = await testGpu();
    const host = { shape: [2, 3], data: Float32Array.of(-Infinity, -Infinity, -Infinity, 1, Infinity, 2) };
    const [peaks] = await runOperator(gpu, [host], (graph, inputs) => [mapPeak(graph, only(inputs))]);
    expect([...(peaks?.data ?? [])]).toEqual([-Infinity, Infinity]);
  });

  it('has gradients of sum and mean', async () => {
    const gpu = await testGpu();
    const host = randomTensor([2, 3, 5], 4);
    for (const operation of ['sum', 'mean'] as const) {
      for (const [over, groups] of [
        ['perImage', 2],
        ['all', 1],
      ] as const) {
        await expectGradient(
          gpu,
          [host],
          (graph, inputs) => reduce(graph, only(inputs), { operation, over }),
          ([x]) => reduceReference(x ?? array64(host), operation, groups),
        );
      }
    }
    const channels = (x: Array64 | undefined): Array64 => channelSumReference(x ?? array64(host));
    await expectGradient(
      gpu,
      [host],
      (graph, inputs) => channelSum(graph, only(inputs)),
      ([x]) => channels(x),
    );
  });
});
