import { describe, expect, it } from 'vitest';
import { Graph } from '../../src/engine/graph.js';
import { gatherChannels, gatherFeatures, permuteChannels } from '../../src/kernels/gather-channels.js';
import { testGpu } from '../gpu.js';
import { array64, exact } from '../reference/array64.js';
import naive from '../reference/gather-channels-naive.wgsl';
import { gatherChannelsReference, gatherFeaturesReference } from '../reference/gather-channels.js';
import { twin } from '../reference/twin.js';
import { only, testCases, type KernelCase } from './cases.js';
import { expectGradient } from './gradient-check.js';
import { expectWithin, randomTensor, runOperator } from './harness.js';

const embeddings = [
  {
    taps: [
      [1, 1, 1, 1],
      [1, 1, 1, 1],
    ],
    height: 1,
    width: 1,
    channels: [1],
  },
  {
    taps: [
      [2, 8, 10, 5],
      [2, 4, 5, 7],
    ],
    height: 8,
    width: 10,
    channels: [11, 0, 6, 5, 4],
  },
  {
    taps: [
      [1, 7, 11, 4],
      [1, 3, 5, 8],
    ],
    height: 7,
    width: 11,
    channels: [2, 3, 9, 1],
  },
  {
    taps: [
      [2, 3, 3, 4],
      [2, 5, 2, 2],
    ],
    height: 13,
    width: 7,
    channels: [3, 1, 0],
  },
] as const;

function embedding({ taps, ...options }: (typeof embeddings)[number]): KernelCase {
  const picks = { shape: [options.channels.length], data: Float32Array.from(options.channels) };
  const inputs = [...taps.map((shape, index) => randomTensor(shape, index + 1)), picks];
  const values = gatherFeaturesReference(inputs.slice(0, 2).map(array64), options);
  const [[, height0, width0, channels0], [, height1, width1, channels1]] = taps;
  const { height, width, channels } = options;
  const parameters = { height, width, picked: channels.length, height0, width0, channels0, height1, width1, channels1 };
  return {
    name: `features [${taps[0].join(', ')}] and [${taps[1].join(', ')}] at ${height}×${width}, channels ${channels.join(' ')}`,
    inputs,
    kernel: (graph, tensors) => gatherFeatures(graph, tensors.slice(0, 2), options),
    twin: (graph, tensors) => twin(graph, 'gather-features', naive, tensors, parameters, values.shape),
    reference: exact(values),
    shape: values.shape,
  };
}

describe('gatherChannels and gatherFeatures', () => {
  testCases(embeddings.map(embedding));

  it('picks, repeats and permutes channels', async () => {
    const gpu = await testGpu();
    const host = randomTensor([2, 3, 5, 4], 1);
    const [picked, permuted] = await runOperator(gpu, [host], (graph, tensors) => [
      gatherChannels(graph, only(tensors), [3, 3, 0]),
      permuteChannels(graph, only(tensors), [2, 0, 3, 1]),
    ]);
    expectWithin(picked?.data ?? new Float32Array(), exact(gatherChannelsReference(array64(host), [3, 3, 0])));
    expectWithin(permuted?.data ?? new Float32Array(), exact(gatherChannelsReference(array64(host), [2, 0, 3, 1])));
  });

  it('has a gradient, also where a channel is picked several times', async () => {
    const gpu = await testGpu();
    const host = randomTensor([1, 2, 3, 5], 1);
    for (const indices of [
      [4, 0, 2],
      [1, 3, 1, 1, 0],
    ]) {
      await expectGradient(
        gpu,
        [host],
        (graph, tensors) => gatherChannels(graph, only(tensors), indices),
        ([x]) => gatherChannelsReference(x ?? array64(host), indices),
      );
    }
  });

  it('refuses channels that are not there', () => {
    const graph = new Graph('test');
    const image = graph.input('image', [1, 2, 2, 3]);
    expect(() => gatherChannels(graph, image, [0, 3])).toThrow(/channel 3 is not among 3/);
    expect(() => gatherFeatures(graph, [image, image], { height: 2, width: 2, channels: [6] })).toThrow(/not among 6/);
    expect(() => permuteChannels(graph, image, [0, 0, 1])).toThrow(/each of 3 channels once/);
  });
});
