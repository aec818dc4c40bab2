import { describe, expect, it } from 'vitest';
import { Graph, type Tensor } from '../../src/engine/graph.js';
import { compile } from '../../src/engine/plan.js';
import type { HostTensor } from '../../src/engine/tensor.js';
import { affine, relu } from '../../src/kernels/elementwise.js';
import { addBias } from '../../src/kernels/epilogue.js';
import { matmul, matmulVariants, type MatmulOptions, type MatmulShape } from '../../src/kernels/matmul/matmul.js';
import { testGpu } from '../gpu.js';
import { referenceMatmul } from '../reference/matmul.js';
import { expectWithin, half, randomTensor, runOperator } from './harness.js';

interface Case {
  readonly title: string;
  readonly batch?: number;
  /** Rows, values of the sum, columns. */
  readonly size: readonly [number, number, number];
  readonly options?: MatmulOptions;
}

const awkward: readonly Case[] = [
  { title: 'a single product', size: [1, 1, 1] },
  { title: 'one row', size: [1, 33, 8] },
  { title: 'one column', size: [19, 7, 1] },
  { title: 'one term', size: [5, 1, 12] },
  { title: 'primes', size: [17, 31, 13] },
  { title: 'whole tiles', size: [32, 64, 64] },
  { title: 'a little more than a tile', size: [33, 20, 68] },
  { title: 'a long sum', size: [6, 512, 20] },
  { title: 'first operand transposed', size: [18, 40, 24], options: { transposeA: true } },
  { title: 'second operand transposed', size: [18, 40, 24], options: { transposeB: true } },
  { title: 'both transposed, odd', size: [7, 11, 5], options: { transposeA: true, transposeB: true } },
  { title: 'several products', batch: 3, size: [9, 10, 12] },
  {
    title: 'several odd products, both transposed',
    batch: 2,
    size: [5, 7, 3],
    options: { transposeA: true, transposeB: true },
  },
];

function shapeOf({ batch, size: [rows, inner, columns], options }: Case): MatmulShape {
  return {
    ...{ batch: batch ?? 1, rows, inner, columns },
    transposeA: options?.transposeA ?? false,
    transposeB: options?.transposeB ?? false,
  };
}

function operands(test: Case): [HostTensor, HostTensor] {
  const { batch, rows, inner, columns, transposeA, transposeB } = shapeOf(test);
  const matrices = test.batch === undefined ? [] : [batch];
  return [
    randomTensor([...matrices, ...(transposeA ? [inner, rows] : [rows, inner])], 1),
    randomTensor([...matrices, ...(transposeB ? [columns, inner] : [inner, columns])], 2),
  ];
}

describe('every variant, every shape that it takes', () => {
  for (const variant of matmulVariants) {
    it(variant.name, async () => {
      const gpu = await testGpu();
      let taken = 0;
      for (const test of awkward) {
        const shape = shapeOf(test);
        const drawn = operands(test);
        const a = variant.name === 'subgroup-matrix' ? half(drawn[0]) : drawn[0];
        const b = /f16|matrix/.test(variant.name) ? half(drawn[1]) : drawn[1];
        const parameter = new Graph('choice').parameter('b', b.shape, { contents: () => b });
        if (!variant.applies(shape, gpu.profile, parameter)) continue;
        taken += 1;
        const [result] = await runOperator(
          gpu,
          [a, b],
          (graph, [left, right]) => [matmul(graph, left as Tensor, right as Tensor, test.options)],
          { kernels: { matmul: variant.name } },
        );
        try {
          expectWithin(result?.data ?? new Float32Array(), referenceMatmul(shape, a, b));
        } catch (error) {
          throw new Error(`${test.title}: ${String(error)}`, { cause: error });
        }
      }
      const missing = variant.name.startsWith('subgroup') && gpu.profile.subgroupSize === undefined;
      const no16 = variant.name.endsWith('f16') && !gpu.profile.features.has('shader-f16');
      const noUnit = variant.name === 'subgroup-matrix' && !gpu.profile.subgroupMatrix;
      if (!missing && !no16 && !noUnit) expect(taken).toBeGreaterThan(0);
    });
  }
});

describe('matrix product', () => {
  it('takes bias and activation into its store', async () => {
    const gpu = await testGpu();
    const [a, b, bias] = [randomTensor([10, 12], 1), randomTensor([12, 7], 2), randomTensor([7], 3)];
    let operators: string[] = [];
    const [result] = await runOperator(gpu, [a, b, bias], (graph, [left, right, shift]) => {
      const output = relu(graph, addBias(graph, matmul(graph, left as Tensor, right as Tensor), shift as Tensor));
      graph.output(output);
      operators = compile(graph, { adapter: gpu.profile }).steps.map((step) => step.operator);
      return [output];
    });
    expect(operators).toEqual(['matmul']);
    const shape = shapeOf({ title: '', size: [10, 12, 7] });
    const reference = referenceMatmul(shape, a, b);
    const values = reference.values.map((value, index) => Math.max(0, value + (bias.data[index % 7] ?? 0)));
    expectWithin(result?.data ?? new Float32Array(), { values, bounds: reference.bounds.map((bound) => bound + 1e-6) });
  });

  it('transposes and pads on the device what is computed there', async () => {
    const gpu = await testGpu();
    const [a, b] = [randomTensor([9, 6], 1), randomTensor([5, 6], 2)];
    const [result] = await runOperator(gpu, [a, b], (graph, [left, right]) => [
      matmul(graph, left as Tensor, affine(graph, right as Tensor, 1, 0), { transposeB: true }),
    ]);
    const shape = shapeOf({ title: '', size: [9, 6, 5], options: { transposeB: true } });
    expectWithin(result?.data ?? new Float32Array(), referenceMatmul(shape, a, b));
  });

  it('refuses operands that do not fit', () => {
    const graph = new Graph('wrong');
    const [a, b] = [graph.input('a', [2, 3]), graph.input('b', [4, 5])];
    expect(() => matmul(graph, a, b)).toThrow('the shapes do not fit');
  });
});
