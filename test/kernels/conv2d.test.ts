import { describe, expect, it } from 'vitest';
import { assumedAdapter, type AdapterProfile } from '../../src/engine/adapter.js';
import { Graph, type Tensor } from '../../src/engine/graph.js';
import { compile } from '../../src/engine/plan.js';
import type { HostTensor } from '../../src/engine/tensor.js';
import { batchNorm } from '../../src/kernels/batch-norm.js';
import { chooseConv2d } from '../../src/kernels/conv2d/choose.js';
import { conv2d, conv2dVariants } from '../../src/kernels/conv2d/conv2d.js';
import { conv2dKey, conv2dShape, type Conv2dOptions } from '../../src/kernels/conv2d/shape.js';
import { add, relu, relu6 } from '../../src/kernels/elementwise.js';
import { addBias } from '../../src/kernels/epilogue.js';
import { testGpu } from '../gpu.js';
import { referenceConv2d } from '../reference/conv2d.js';
import { expectWithin, randomTensor, runOperator } from './harness.js';

interface Case {
  readonly title: string;
  readonly input: readonly number[];
  readonly weight: readonly number[];
  readonly options?: Conv2dOptions;
}

const awkward: readonly Case[] = [
  { title: 'a single product', input: [1, 1, 1, 1], weight: [1, 1, 1, 1] },
  { title: 'primes', input: [1, 7, 11, 5], weight: [3, 3, 5, 13], options: { padding: 1 } },
  { title: 'one channel in', input: [2, 5, 4, 1], weight: [3, 3, 1, 4], options: { padding: 1 } },
  { title: '1×1', input: [1, 9, 5, 20], weight: [1, 1, 20, 24] },
  { title: '1×1, stride 2', input: [2, 9, 7, 12], weight: [1, 1, 12, 20], options: { stride: 2 } },
  { title: '3×3', input: [2, 10, 9, 16], weight: [3, 3, 16, 68], options: { padding: 1 } },
  { title: '3×3 without padding', input: [1, 9, 6, 8], weight: [3, 3, 8, 8] },
  { title: '3×3, stride 2', input: [2, 9, 8, 8], weight: [3, 3, 8, 12], options: { stride: 2, padding: 1 } },
  {
    title: '3×3, padded below and right alone',
    input: [1, 8, 9, 6],
    weight: [3, 3, 6, 8],
    options: { stride: 2, padding: { top: 0, bottom: 1, left: 0, right: 1 } },
  },
  {
    title: '3×3, padded unevenly',
    input: [1, 6, 7, 4],
    weight: [3, 3, 4, 4],
    options: { padding: { top: 2, bottom: 0, left: 1, right: 3 } },
  },
  { title: '3×3, dilated', input: [1, 9, 11, 4], weight: [3, 3, 4, 8], options: { dilation: 2, padding: 2 } },
  {
    title: '3×2, strides and dilations of their own',
    input: [1, 13, 10, 3],
    weight: [3, 2, 3, 8],
    options: { stride: [2, 1], dilation: [1, 3], padding: 1 },
  },
  { title: '5×5', input: [1, 7, 7, 3], weight: [5, 5, 3, 4], options: { padding: 2 } },
  {
    title: '7×7, stride 2, three channels',
    input: [1, 17, 16, 3],
    weight: [7, 7, 3, 8],
    options: { stride: 2, padding: 3 },
  },
  { title: 'kernel larger than the image', input: [1, 3, 2, 4], weight: [5, 5, 4, 4], options: { padding: 2 } },
  { title: 'two groups', input: [1, 6, 5, 8], weight: [3, 3, 4, 16], options: { groups: 2, padding: 1 } },
  { title: 'groups of odd size', input: [2, 5, 5, 6], weight: [3, 3, 2, 9], options: { groups: 3, padding: 1 } },
  { title: 'depthwise', input: [2, 9, 10, 12], weight: [3, 3, 1, 12], options: { groups: 12, padding: 1 } },
  {
    title: 'depthwise, stride 2',
    input: [1, 9, 12, 8],
    weight: [3, 3, 1, 8],
    options: { groups: 8, stride: 2, padding: 1 },
  },
  {
    title: 'depthwise, padded below and right alone',
    input: [1, 8, 7, 4],
    weight: [3, 3, 1, 4],
    options: { groups: 4, stride: 2, padding: { top: 0, bottom: 1, left: 0, right: 1 } },
  },
  {
    title: 'depthwise, 5×5, odd channels',
    input: [1, 7, 6, 7],
    weight: [5, 5, 1, 7],
    options: { groups: 7, padding: 2 },
  },
  {
    title: 'depthwise, dilated',
    input: [1, 8, 8, 4],
    weight: [3, 3, 1, 4],
    options: { groups: 4, dilation: 2, padding: 2 },
  },
  {
    title: 'depthwise, two outputs a channel',
    input: [1, 5, 6, 4],
    weight: [3, 3, 1, 8],
    options: { groups: 4, padding: 1 },
  },
  { title: 'deep and small', input: [1, 4, 4, 256], weight: [3, 3, 256, 16], options: { padding: 1 } },
];

/**
 * How many times the bound of a plain sum a variant may be off, for what it does besides. Measured over these cases; see
 * the variants' own comments.
 */
const slack: Readonly<Record<string, number>> = { winograd2: 4, winograd4: 40 };

const shapeOf = ({ input, weight, options }: Case): ReturnType<typeof conv2dShape> =>
  conv2dShape(input, weight, options ?? {});

function operands(test: Case): [HostTensor, HostTensor] {
  return [randomTensor(test.input, 1), randomTensor(test.weight, 2)];
}

const half = (host: HostTensor): HostTensor => ({
  ...host,
  data: host.data.map((value) => Math.round(value * 256) / 256),
});

describe('every variant, every shape that it takes', () => {
  for (const variant of conv2dVariants) {
    it(variant.name, async () => {
      const gpu = await testGpu();
      let taken = 0;
      for (const test of awkward) {
        const shape = shapeOf(test);
        const [input, drawn] = operands(test);
        // Weights in 16 bits are compared with a reference over the same 16 bits.
        const weight = variant.name.endsWith('f16') ? half(drawn) : drawn;
        const graph = new Graph('choice');
        const parameter = graph.parameter('weight', weight.shape, { contents: () => weight });
        if (!variant.applies(shape, gpu.profile, parameter)) continue;
        taken += 1;
        const [result] = await runOperator(
          gpu,
          [input, weight],
          (g, [x, w]) => [conv2d(g, x as Tensor, w as Tensor, test.options)],
          { kernels: { conv2d: variant.name } },
        );
        const reference = referenceConv2d(shape, input, weight);
        const factor = slack[variant.name] ?? 1;
        const bounds = reference.bounds.map((bound) => bound * factor);
        try {
          expectWithin(result?.data ?? new Float32Array(), { values: reference.values, bounds });
        } catch (error) {
          throw new Error(`${test.title}: ${String(error)}`, { cause: error });
        }
      }
      const applicable = variant.name === 'subgroup' ? gpu.profile.subgroupSize !== undefined : true;
      if (applicable && !(variant.name.endsWith('f16') && !gpu.profile.features.has('shader-f16'))) {
        expect(taken).toBeGreaterThan(0);
      }
    });
  }
});
