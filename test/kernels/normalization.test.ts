import { describe, expect, it } from 'vitest';
import { Graph, type Tensor } from '../../src/engine/graph.js';
import { compile } from '../../src/engine/plan.js';
import { Program } from '../../src/engine/program.js';
import { batchNormTraining } from '../../src/kernels/batch-norm-training/batch-norm-training.js';
import { layerNorm } from '../../src/kernels/layer-norm/layer-norm.js';
import { cosineSimilarity, l2Normalize } from '../../src/kernels/rows.js';
import { testGpu } from '../gpu.js';
import { array64, type Array64 } from '../reference/array64.js';
import {
  batchMoments64,
  batchNorm64,
  cosineSimilarity64,
  l2Normalize64,
  layerNorm64,
} from '../reference/normalization.js';
import { expectGradient } from './gradient-check.js';
import { expectWithin, randomTensor, runOperator } from './harness.js';

const at = <T>(values: readonly T[], index: number): T => {
  const value = values[index];
  if (value === undefined) throw new Error(`no value ${index}`);
  return value;
};

/** Error allowed relative to the largest magnitude: sums of `terms` elements in f32. */
function close(values: Array64, terms: number): { values: Float64Array; bounds: Float64Array } {
  const largest = Math.max(...values.data.map(Math.abs));
  return { values: values.data, bounds: values.data.map(() => (terms + 16) * 2 ** -23 * largest) };
}

/** A channel-wise shift, so that the mean is far larger than the deviation. */
function shifted(shape: readonly number[], seed: number, by: number): { shape: readonly number[]; data: Float32Array } {
  const { data } = randomTensor(shape, seed);
  return { shape, data: data.map((value) => value + by) };
}

describe('batch norm in training', () => {
  const statistics = (graph: Graph, channels: number): { mean: Tensor; variance: Tensor } => ({
    mean: graph.parameter('mean', [channels]),
    variance: graph.parameter('variance', [channels]),
  });

  for (const shape of [
    [2, 3, 5, 3],
    [3, 9, 11, 8],
    [1, 1, 4, 70],
  ]) {
    it(`of [${shape.join(', ')}]`, async () => {
      const gpu = await testGpu();
      const channels = shape[3] ?? 1;
      const x = shifted(shape, 1, 30);
      const [weight, bias] = [randomTensor([channels], 2), randomTensor([channels], 3)];
      const [result] = await runOperator(gpu, [x, weight, bias], (graph, tensors) => [
        batchNormTraining(graph, at(tensors, 0), {
          weight: at(tensors, 1),
          bias: at(tensors, 2),
          ...statistics(graph, channels),
        }),
      ]);
      const values = batchNorm64(array64(x), array64(weight), array64(bias));
      // The inputs lie at 30 with a deviation of half: a rounding of the mean is 60 times one of the result.
      expectWithin(result?.data ?? new Float32Array(), close(values, 120));
    });
  }

  it('has the gradient of the whole, moments included', async () => {
    const gpu = await testGpu();
    for (const shape of [
      [2, 3, 2, 4],
      [1, 3, 3, 3],
    ]) {
      const channels = shape[3] ?? 1;
      await expectGradient(
        gpu,
        [randomTensor(shape, 4), randomTensor([channels], 5), randomTensor([channels], 6)],
        (graph, tensors) =>
          batchNormTraining(graph, at(tensors, 0), {
            weight: at(tensors, 1),
            bias: at(tensors, 2),
            ...statistics(graph, channels),
          }),
        (inputs) => batchNorm64(at(inputs, 0), at(inputs, 1), at(inputs, 2)),
      );
    }
  });

  it('moves the running statistics in place', async () => {
    const gpu = await testGpu();
    const graph = new Graph('running');
    const x = graph.input('x', [2, 2, 2, 3]);
    const affine = { weight: graph.parameter('weight', [3]), bias: graph.parameter('bias', [3]) };
    const running = statistics(graph, 3);
    graph.output(batchNormTraining(graph, x, { ...affine, ...running }));
    const program = await Program.create(gpu, compile(graph, { adapter: gpu.profile }));
    const host = randomTensor(x.shape, 7);
    await program.execute(new Map([[x, host.data]]));
    await program.execute(new Map([[x, host.data]]));
    const mean = (await program.pool.read('mean')).data;
    const variance = (await program.pool.read('variance')).data;
    program.destroy();
    batchMoments64(array64(host)).forEach((moments, channel) => {
      const moved = 1 - 0.9 ** 2;
      expect(mean[channel]).toBeCloseTo(moved * moments.mean, 6);
      expect(variance[channel]).toBeCloseTo((moved * moments.variance * 8) / 7, 6);
    });
  });
});

describe('layer norm', () => {
  for (const shape of [
    [2, 3, 5, 3],
    [3, 30, 11, 8],
    [1, 1, 1, 5],
  ]) {
    it(`of [${shape.join(', ')}]`, async () => {
      const gpu = await testGpu();
      const inner = shape.slice(1);
      const [x, weight, bias] = [shifted(shape, 1, 3), randomTensor(inner, 2), randomTensor(inner, 3)];
      const [result] = await runOperator(gpu, [x, weight, bias], (graph, tensors) => [
        layerNorm(graph, at(tensors, 0), at(tensors, 1), at(tensors, 2)),
      ]);
      expectWithin(
        result?.data ?? new Float32Array(),
        close(layerNorm64(array64(x), array64(weight), array64(bias)), 32),
      );
    });
  }

  it('has the gradient of the whole, moments included', async () => {
    const gpu = await testGpu();
    await expectGradient(
      gpu,
      [randomTensor([3, 2, 3, 2], 4), randomTensor([2, 3, 2], 5), randomTensor([2, 3, 2], 6)],
      (graph, tensors) => layerNorm(graph, at(tensors, 0), at(tensors, 1), at(tensors, 2)),
      (inputs) => layerNorm64(at(inputs, 0), at(inputs, 1), at(inputs, 2)),
    );
  });
});

describe('vectors along the channels', () => {
  for (const shape of [
    [2, 3, 2, 5],
    [1, 4, 3, 8],
  ]) {
    it(`normalise and compare, [${shape.join(', ')}]`, async () => {
      const gpu = await testGpu();
      const [a, b] = [randomTensor(shape, 1), randomTensor(shape, 2)];
      const results = await runOperator(gpu, [a, b], (graph, tensors) => [
        l2Normalize(graph, at(tensors, 0)),
        cosineSimilarity(graph, at(tensors, 0), at(tensors, 1)),
      ]);
      expectWithin(at(results, 0).data, close(l2Normalize64(array64(a)), 8));
      expectWithin(at(results, 1).data, close(cosineSimilarity64(array64(a), array64(b)), 8));
      await expectGradient(
        gpu,
        [a],
        (graph, tensors) => l2Normalize(graph, at(tensors, 0)),
        (inputs) => l2Normalize64(at(inputs, 0)),
      );
      await expectGradient(
        gpu,
        [a, b],
        (graph, tensors) => cosineSimilarity(graph, at(tensors, 0), at(tensors, 1)),
        (inputs) => cosineSimilarity64(at(inputs, 0), at(inputs, 1)),
      );
    });
  }

  it('stay zero without a direction', async () => {
    const gpu = await testGpu();
    const zeros = { shape: [1, 4], data: new Float32Array(4) };
    const results = await runOperator(gpu, [zeros, randomTensor([1, 4], 1)], (graph, tensors) => [
      l2Normalize(graph, at(tensors, 0)),
      cosineSimilarity(graph, at(tensors, 0), at(tensors, 1)),
    ]);
    expect([...at(results, 0).data, ...at(results, 1).data]).toEqual([0, 0, 0, 0, 0]);
  });
});
