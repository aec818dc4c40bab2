import { describe, expect, it } from 'vitest';
import { assumedAdapter, type AdapterProfile } from '../../src/engine/adapter.js';
import { Graph, type Tensor } from '../../src/engine/graph.js';
import { compile } from '../../src/engine/plan.js';
import type { HostTensor } from '../../src/engine/tensor.js';
import { batchNorm, type BatchNormParameters } from '../../src/kernels/batch-norm.js';
import { chooseConv2d } from '../../src/kernels/conv2d/choose.js';
import { conv2d, conv2dVariants } from '../../src/kernels/conv2d/conv2d.js';
import { conv2dKey, conv2dShape, type Conv2dOptions } from '../../src/kernels/conv2d/shape.js';
import { add, relu, relu6 } from '../../src/kernels/elementwise.js';
import { addBias } from '../../src/kernels/epilogue.js';
import { testGpu } from '../gpu.js';
import { referenceConv2d } from '../reference/conv2d.js';
import { expectWithin, half, randomTensor, runOperator, type Reference } from './harness.js';

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
    title: 'depthwise, several strips each way',
    input: [2, 67, 19, 8],
    weight: [3, 3, 1, 8],
    options: { groups: 8, padding: 1 },
  },
  {
    title: 'depthwise, stride 2, several strips each way',
    input: [1, 133, 35, 4],
    weight: [3, 3, 1, 4],
    options: { groups: 4, stride: 2, padding: 1 },
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
 * How many times the bound of a plain sum a variant may be off. Measured: F(2 × 2) 0.16 at most, like the plain sums;
 * F(4 × 4) 1.6 with one channel, where the bound is tightest (3.5 on SwiftShader), and 0.2 from five on.
 */
const slack: Readonly<Record<string, number>> = { winograd4: 6 };

const shapeOf = ({ input, weight, options }: Case): ReturnType<typeof conv2dShape> =>
  conv2dShape(input, weight, options ?? {});

function operands(test: Case): [HostTensor, HostTensor] {
  return [randomTensor(test.input, 1), randomTensor(test.weight, 2)];
}

describe('every variant, every shape that it takes', () => {
  for (const variant of conv2dVariants) {
    it(variant.name, async () => {
      const gpu = await testGpu();
      let taken = 0;
      for (const test of awkward) {
        const shape = shapeOf(test);
        const drawn = operands(test);
        // Operands in 16 bits are compared with a reference over the same 16 bits.
        const input = variant.name === 'subgroup-matrix' ? half(drawn[0]) : drawn[0];
        const weight = /f16|matrix/.test(variant.name) ? half(drawn[1]) : drawn[1];
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
      const { subgroupSize = 0, subgroupMatrix, features } = gpu.profile;
      const wanted: Readonly<Record<string, boolean>> = {
        subgroup: subgroupSize > 0,
        'depthwise-subgroup': subgroupSize >= 8,
        'subgroup-f16': features.has('shader-f16'),
        'subgroup-matrix': subgroupMatrix !== undefined,
      };
      if (wanted[variant.name] ?? true) expect(taken).toBeGreaterThan(0);
    });
  }
});

/** What the stored sum becomes, in f64: batch norm or bias, residual, activation; bounds grow with the scale. */
function finish(
  reference: Reference,
  options: {
    scale?: Float64Array;
    shift?: ArrayLike<number>;
    residual?: ArrayLike<number>;
    activation?: 'relu' | 'relu6';
  },
): Reference {
  const channels = options.shift?.length ?? options.scale?.length ?? 1;
  const values = reference.values.map((sum, index) => {
    const channel = index % channels;
    const value =
      sum * (options.scale?.[channel] ?? 1) + (options.shift?.[channel] ?? 0) + (options.residual?.[index] ?? 0);
    if (options.activation === undefined) return value;
    return Math.min(Math.max(value, 0), options.activation === 'relu6' ? 6 : Infinity);
  });
  const bounds = reference.bounds.map((bound, index) => {
    const scale = Math.abs(options.scale?.[index % channels] ?? 1);
    return 2 * bound * scale + 2 ** -20 * (1 + Math.abs(values[index] ?? 0) + Math.abs(options.residual?.[index] ?? 0));
  });
  return { values, bounds };
}

describe('the epilogue', () => {
  const test: Case = { title: '', input: [1, 6, 5, 8], weight: [3, 3, 8, 12], options: { padding: 1 } };
  const [input, weight] = operands(test);
  const plain = referenceConv2d(shapeOf(test), input, weight);
  const bias = randomTensor([12], 3);
  const other = randomTensor([1, 6, 5, 12], 4);
  const vectors = [randomTensor([12], 5), randomTensor([12], 6), randomTensor([12], 7)];
  const variance: HostTensor = { shape: [12], data: randomTensor([12], 8).data.map((value) => value * value + 0.1) };
  const scale = Float64Array.from(
    vectors[0]?.data ?? [],
    (value, c) => value / Math.sqrt((variance.data[c] ?? 0) + 1e-3),
  );
  const shift = Float64Array.from(
    vectors[1]?.data ?? [],
    (value, c) => ((bias.data[c] ?? 0) - (vectors[2]?.data[c] ?? 0)) * (scale[c] ?? 0) + value,
  );
  const tensors = [input, weight, bias, other, ...vectors, variance];

  /** Runs what `build` makes of the convolution and gives its values and the operators of its plan. */
  async function run(
    build: (graph: Graph, sum: Tensor, rest: { bias: Tensor; other: Tensor; norm: BatchNormParameters }) => Tensor,
    kernels: Record<string, string> = {},
    trained = false,
  ): Promise<{ data: Float32Array; operators: string[] }> {
    const gpu = await testGpu();
    const operators: string[] = [];
    const [result] = await runOperator(
      gpu,
      tensors,
      (graph, given) => {
        const [x, w, b, o, gamma, beta, mean, spread] = given as [
          Tensor,
          Tensor,
          Tensor,
          Tensor,
          Tensor,
          Tensor,
          Tensor,
          Tensor,
        ];
        // Weights without known contents, as an optimiser leaves them: what the host folds elsewhere the device must.
        const used = trained ? add(graph, w, graph.parameter('nothing', w.shape)) : w;
        const norm = { weight: gamma, bias: beta, mean, variance: spread };
        const output = build(graph, conv2d(graph, x, used, test.options), { bias: b, other: o, norm });
        graph.output(output);
        operators.push(...compile(graph, { adapter: gpu.profile, kernels }).steps.map((step) => step.operator));
        return [output];
      },
      { kernels },
    );
    return { data: result?.data ?? new Float32Array(), operators };
  }

  for (const variant of ['naive', 'subgroup', 'winograd2']) {
    it(`fuses bias, residual and activation in this order: ${variant}`, async () => {
      const { data, operators } = await run(
        (graph, sum, rest) => relu(graph, add(graph, addBias(graph, sum, rest.bias), rest.other)),
        { conv2d: variant },
      );
      expect(new Set(operators)).toEqual(new Set(['conv2d']));
      expectWithin(data, finish(plain, { shift: bias.data, residual: other.data, activation: 'relu' }));
    });
  }

  it('folds a batch norm with the bias before it into the weights, for the residual on either side', async () => {
    const { data, operators } = await run((graph, sum, rest) =>
      relu6(graph, add(graph, rest.other, batchNorm(graph, addBias(graph, sum, rest.bias), rest.norm, 1e-3))),
    );
    expect(operators).toEqual(['conv2d']);
    expectWithin(data, finish(plain, { scale, shift, residual: other.data, activation: 'relu6' }));
  });

  it('folds a batch norm on the device where the weights are computed there', async () => {
    const { data, operators } = await run(
      (graph, sum, rest) => relu(graph, batchNorm(graph, addBias(graph, sum, rest.bias), rest.norm, 1e-3)),
      {},
      true,
    );
    expect(operators).toEqual(['add', 'conv2d', 'conv2d']);
    expectWithin(data, finish(plain, { scale, shift, activation: 'relu' }));
  });

  it('leaves an addition behind an activation alone', async () => {
    const { data, operators } = await run((graph, sum, rest) => add(graph, relu(graph, sum), rest.other));
    expect(operators).toEqual(['conv2d', 'add']);
    const rectified = finish(plain, { activation: 'relu' });
    expectWithin(data, finish(rectified, { residual: other.data }));
  });

  it('leaves a bias behind a residual and a batch norm behind an activation alone', async () => {
    const { data, operators } = await run((graph, sum, rest) =>
      batchNorm(graph, relu(graph, addBias(graph, add(graph, sum, rest.other), rest.bias)), rest.norm, 1e-3),
    );
    expect(operators).toEqual(['conv2d', 'add-bias', 'relu', 'batch-norm']);
    const rectified = finish(finish(plain, { residual: other.data }), { shift: bias.data, activation: 'relu' });
    const norm = Float64Array.from(shift, (value, c) => value - (bias.data[c] ?? 0) * (scale[c] ?? 0));
    expectWithin(data, finish(rectified, { scale, shift: norm }));
  });

  it('fuses nothing into a value that is used elsewhere or read', async () => {
    const { operators } = await run((graph, sum, rest) => relu(graph, addBias(graph, graph.output(sum), rest.bias)));
    expect(operators).toEqual(['conv2d', 'add-bias', 'relu']);
  });
});

describe('the choice of a variant', () => {
  const hardware: AdapterProfile = { ...assumedAdapter, class: 'hardware' };
  const software: AdapterProfile = {
    ...assumedAdapter,
    class: 'lavapipe',
    features: new Set(['subgroups']),
    subgroupSize: 8,
  };
  const shape = (input: number[], weight: number[], options: Conv2dOptions = {}): ReturnType<typeof conv2dShape> =>
    conv2dShape(input, weight, options);
  const large = shape([1, 64, 64, 64], [3, 3, 64, 64], { padding: 1 });
  const stem = shape([1, 256, 256, 3], [7, 7, 3, 64], { stride: 2, padding: 3 });
  const deep = shape([1, 8, 8, 512], [3, 3, 512, 512], { padding: 1 });

  it('takes Winograd for large 3 × 3, a product of the adapter’s kind otherwise', () => {
    expect(chooseConv2d(large, software)[0]).toBe('winograd4');
    const middle = shape([1, 16, 16, 256], [3, 3, 256, 256], { padding: 1 });
    expect(chooseConv2d(middle, software)[0]).toBe('winograd4');
    expect(chooseConv2d(middle, { ...software, class: 'swiftshader', subgroupSize: 4 })[0]).toBe('subgroup');
    expect(chooseConv2d(stem, software)[0]).toBe('subgroup');
    expect(chooseConv2d(stem, hardware)[0]).toBe('shared');
    expect(chooseConv2d(deep, software)[0]).toBe('subgroup');
    expect(chooseConv2d(deep, hardware)[0]).toBe('winograd2');
    expect(chooseConv2d(shape([1, 16, 16, 256], [1, 1, 256, 64]), hardware)[0]).toBe('splitk');
    expect(chooseConv2d(stem, { ...software, subgroupSize: undefined })[0]).toBe('direct');
    const depthwise = shape([1, 8, 8, 32], [3, 3, 1, 32], { groups: 32, padding: 1 });
    expect(chooseConv2d(depthwise, software)[0]).toBe('depthwise-subgroup');
    expect(chooseConv2d(depthwise, hardware)[0]).toBe('depthwise');
  });

  it('does not look at the batch', () => {
    for (const adapter of [software, hardware]) {
      for (const one of [large, stem, deep]) {
        expect(chooseConv2d({ ...one, batch: 32 }, adapter)).toEqual(chooseConv2d(one, adapter));
        expect(conv2dKey({ ...one, batch: 32 })).toBe(conv2dKey(one));
      }
    }
  });
});

describe('results', () => {
  it('are the same bytes whatever the batch, also where Winograd goes through in chunks', async () => {
    const gpu = await testGpu();
    for (const kernel of ['subgroup', 'winograd4', 'depthwise', 'depthwise-subgroup']) {
      const groups = kernel.startsWith('depthwise') ? 8 : 1;
      const weight = randomTensor([3, 3, 8 / groups, 8], 2);
      const batch = randomTensor([3, 9, 10, 8], 1);
      const size = 9 * 10 * 8;
      const run = async (input: HostTensor, limit?: number): Promise<Float32Array> => {
        const limits = { ...gpu.profile.limits, maxStorageBufferBindingSize: limit ?? 2 ** 27 };
        const [result] = await runOperator(
          gpu,
          [input, weight],
          (graph, [x, w]) => [conv2d(graph, x as Tensor, w as Tensor, { padding: 1, groups })],
          { kernels: { conv2d: kernel }, adapter: { ...gpu.profile, limits } },
        );
        return result?.data ?? new Float32Array();
      };
      const whole = await run(batch);
      // One image's transformed tiles take 10,368 bytes, the filters 9,216: two images go through at a time, then one. Where
      // subgroups transform, the products of 16 tiles take 73,728: one at a time.
      expect(await run(batch, gpu.profile.class === 'lavapipe' ? 80_000 : 21_000)).toEqual(whole);
      for (let image = 0; image < 3; image++) {
        const data = batch.data.slice(image * size, (image + 1) * size);
        expect(await run({ shape: [1, 9, 10, 8], data })).toEqual(whole.slice(image * size, (image + 1) * size));
      }
    }
  });

  it('refuse shapes that do not fit in one line', () => {
    const graph = new Graph('wrong');
    const x = graph.input('x', [1, 4, 4, 3]);
    const conv = (weight: number[], options?: Conv2dOptions): (() => Tensor) => {
      return () => conv2d(graph, x, graph.parameter('w', weight), options);
    };
    expect(conv([3, 3, 4, 8])).toThrow('3 channels are not 1 groups of 4');
    expect(conv([7, 7, 3, 8])).toThrow('the kernel is larger than the padded image');
    expect(conv([3, 3, 1, 8], { groups: 3 })).toThrow('8 output channels do not split into 3 groups');
  });
});
