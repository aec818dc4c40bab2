import { describe, expect, it } from 'vitest';
import { conv2d } from '../../src/kernels/conv2d/conv2d.js';
import {
  conv2dInputGradient,
  convTranspose2d,
  inputGradientVariants,
} from '../../src/kernels/conv2d/gradients/input.js';
import { conv2dWeightGradient, weightGradientVariants } from '../../src/kernels/conv2d/gradients/weight.js';
import { conv2dShape, type Conv2dOptions } from '../../src/kernels/conv2d/shape.js';
import { addBias } from '../../src/kernels/epilogue.js';
import { matmul } from '../../src/kernels/matmul/matmul.js';
import type { Tensor } from '../../src/engine/graph.js';
import { testGpu } from '../gpu.js';
import { absolute, array64, bounded, build64, type Array64 } from '../reference/array64.js';
import { convolution64, convolutionInputGradient64, convolutionWeightGradient64 } from '../reference/convolution.js';
import { expectGradient } from './gradient-check.js';
import { expectWithin, randomTensor, runOperator } from './harness.js';

interface ConvolutionCase {
  readonly input: readonly number[];
  readonly weight: readonly number[];
  readonly options: Conv2dOptions;
}

const cases: Record<string, ConvolutionCase> = {
  '3×3, whole tiles': { input: [2, 6, 7, 32], weight: [3, 3, 32, 36], options: { padding: 1 } },
  '3×3, a third of a tile': { input: [1, 5, 5, 8], weight: [3, 3, 8, 4], options: { padding: 1 } },
  '3×3 stride 2, even size': { input: [2, 8, 6, 16], weight: [3, 3, 16, 32], options: { padding: 1, stride: 2 } },
  '3×3 stride 2, odd size': { input: [1, 7, 9, 4], weight: [3, 3, 4, 8], options: { padding: 1, stride: 2 } },
  '1×1 stride 2': { input: [2, 7, 8, 16], weight: [1, 1, 16, 8], options: { stride: 2 } },
  '7×7 stem': { input: [1, 17, 13, 3], weight: [7, 7, 3, 8], options: { padding: 3, stride: 2 } },
  '2×2 stride 2': { input: [1, 7, 8, 4], weight: [2, 2, 4, 12], options: { stride: 2 } },
  '2×3 stride 3 by 1': { input: [1, 8, 5, 5], weight: [2, 3, 5, 7], options: { stride: [3, 1], padding: 1 } },
  'uneven padding': {
    input: [1, 6, 5, 12],
    weight: [3, 3, 12, 4],
    options: { stride: 2, padding: { top: 0, bottom: 1, left: 0, right: 1 } },
  },
  'padding wider than the kernel': { input: [1, 3, 4, 2], weight: [1, 1, 2, 3], options: { padding: 2 } },
  groups: { input: [1, 5, 6, 8], weight: [3, 3, 2, 4], options: { padding: 1, groups: 4 } },
  'depthwise stride 2, dilated': {
    input: [1, 9, 8, 6],
    weight: [3, 3, 1, 6],
    options: { padding: 2, groups: 6, dilation: 2, stride: 2 },
  },
};

const pick = (tensors: readonly Tensor[], index: number): Tensor => {
  const tensor = tensors[index];
  if (!tensor) throw new Error(`no input ${index}`);
  return tensor;
};

describe('gradients of a convolution', () => {
  for (const [name, { input, weight, options }] of Object.entries(cases)) {
    it(name, async () => {
      const gpu = await testGpu();
      const shape = conv2dShape(input, weight, options);
      const out = [shape.batch, shape.outHeight, shape.outWidth, shape.outChannels];
      const [x, w, g] = [randomTensor(input, 1), randomTensor(weight, 2), randomTensor(out, 3)];
      const [x64, w64, g64] = [array64(x), array64(w), array64(g)];
      const pixels = shape.batch * shape.outHeight * shape.outWidth;
      const byWeight = bounded(
        convolutionWeightGradient64(x64, weight, g64, options),
        convolutionWeightGradient64(absolute(x64), weight, absolute(g64), options),
        pixels,
      );
      const applying = weightGradientVariants.filter((variant) => variant.applies(shape, gpu.profile));
      for (const variant of applying) {
        const [result] = await runOperator(
          gpu,
          [x, g],
          (graph, tensors) => [conv2dWeightGradient(graph, pick(tensors, 0), pick(tensors, 1), shape)],
          { kernels: { 'conv2d-weight-gradient': variant.name } },
        );
        expect(result?.shape).toEqual(weight);
        expectWithin(result?.data ?? new Float32Array(), byWeight);
      }
      const taps = (shape.kernelHeight * shape.kernelWidth * shape.outChannels) / shape.groups;
      const byInput = bounded(
        convolutionInputGradient64(input, w64, g64, options),
        convolutionInputGradient64(input, absolute(w64), absolute(g64), options),
        taps,
      );
      for (const variant of inputGradientVariants.filter((candidate) => candidate.applies(shape))) {
        const [result] = await runOperator(
          gpu,
          [g, w],
          (graph, tensors) => [conv2dInputGradient(graph, pick(tensors, 0), pick(tensors, 1), shape)],
          { kernels: { 'conv2d-input-gradient': variant.name } },
        );
        expect(result?.shape).toEqual(input);
        expectWithin(result?.data ?? new Float32Array(), byInput);
      }
    });
  }

  it('follow from the operators, against central differences', async () => {
    const gpu = await testGpu();
    for (const { input, weight, options } of [
      { input: [1, 4, 5, 4], weight: [3, 3, 4, 4], options: { padding: 1 } },
      { input: [1, 5, 4, 3], weight: [3, 2, 3, 4], options: { padding: 1, stride: 2 } },
    ]) {
      const bias = [weight[3] ?? 1];
      await expectGradient(
        gpu,
        [randomTensor(input, 4), randomTensor(weight, 5), randomTensor(bias, 6)],
        (graph, tensors) =>
          addBias(graph, conv2d(graph, pick(tensors, 0), pick(tensors, 1), options), pick(tensors, 2)),
        ([x, w, b]) => {
          if (!x || !w || !b) throw new Error('three inputs');
          const sum = convolution64(x, w, options);
          return build64(sum.shape, (i) => (sum.data[i] ?? 0) + (b.data[i % b.data.length] ?? 0));
        },
      );
    }
  });
});

describe('transposed convolution', () => {
  it('spreads every pixel by the kernel', async () => {
    const gpu = await testGpu();
    for (const [input, weight, stride] of [
      [[2, 3, 4, 8], [2, 2, 4, 8], 2],
      [[1, 3, 2, 3], [3, 2, 5, 3], 2],
      [[1, 2, 3, 4], [2, 2, 4, 4], 3],
    ] as const) {
      const [x, w] = [randomTensor(input, 7), randomTensor(weight, 8)];
      const spread = ([a, b]: readonly Array64[]): Array64 => {
        if (!a || !b) throw new Error('two inputs');
        const height = (input[1] - 1) * stride + weight[0];
        const width = (input[2] - 1) * stride + weight[1];
        return convolutionInputGradient64([input[0], height, width, weight[2]], b, a, { stride });
      };
      const [result] = await runOperator(gpu, [x, w], (graph, tensors) => [
        convTranspose2d(graph, pick(tensors, 0), pick(tensors, 1), { stride }),
      ]);
      const values = spread([array64(x), array64(w)]);
      expect(result?.shape).toEqual(values.shape);
      const magnitudes = spread([absolute(array64(x)), absolute(array64(w))]);
      expectWithin(result?.data ?? new Float32Array(), bounded(values, magnitudes, weight[0] * weight[1] * weight[3]));
      await expectGradient(
        gpu,
        [x, w],
        (graph, tensors) => convTranspose2d(graph, pick(tensors, 0), pick(tensors, 1), { stride }),
        spread,
      );
    }
  });
});

describe('gradients of a matrix product', () => {
  for (const transposeA of [false, true]) {
    for (const transposeB of [false, true]) {
      it(`${transposeA ? 'aᵀ' : 'a'} · ${transposeB ? 'bᵀ' : 'b'}`, async () => {
        const gpu = await testGpu();
        const [rows, inner, columns] = [3, 5, 4];
        const a = transposeA ? [inner, rows] : [rows, inner];
        const b = transposeB ? [columns, inner] : [inner, columns];
        await expectGradient(
          gpu,
          [randomTensor(a, 9), randomTensor(b, 10)],
          (graph, tensors) => matmul(graph, pick(tensors, 0), pick(tensors, 1), { transposeA, transposeB }),
          ([x, y]) =>
            build64([rows, columns], (index) => {
              const [row, column] = [Math.floor(index / columns), index % columns];
              let sum = 0;
              for (let k = 0; k < inner; k++) {
                const left = x?.data[transposeA ? k * rows + row : row * inner + k] ?? 0;
                sum += left * (y?.data[transposeB ? column * inner + k : k * columns + column] ?? 0);
              }
              return sum;
            }),
        );
      });
    }
  }
});
