import { describe, expect, it } from 'vitest';
import { Graph } from '../../src/engine/graph.js';
import { resize2d, resize2dVariants, type Resize2dOptions } from '../../src/kernels/resize2d.js';
import { antialiasVariants } from '../../src/kernels/resize2d-antialias.js';
import { testGpu } from '../gpu.js';
import { absolute, array64, bounded, build64, exact } from '../reference/array64.js';
import naive from '../reference/resize2d-naive.wgsl';
import { resize2dReference } from '../reference/resize2d.js';
import { twin } from '../reference/twin.js';
import { only, testCases, type KernelCase } from './cases.js';
import { expectGradient } from './gradient-check.js';
import { expectWithin, randomTensor, runOperator } from './harness.js';

type Mode = Omit<Resize2dOptions, 'height' | 'width'>;
const modes: Record<string, { number: number; options: Mode }> = {
  nearest: { number: 0, options: { mode: 'nearest' } },
  bilinear: { number: 1, options: { mode: 'bilinear' } },
  'bilinear with aligned corners': { number: 2, options: { mode: 'bilinear', alignCorners: true } },
  'bilinear with antialiasing': { number: 3, options: { mode: 'bilinear', antialias: true } },
};
const sizes = [
  { from: [1, 1, 1, 1], to: [3, 2] },
  { from: [2, 8, 5, 1], to: [16, 20] },
  { from: [2, 13, 17, 3], to: [5, 7] },
  { from: [1, 7, 6, 8], to: [11, 4] },
  { from: [1, 23, 29, 4], to: [1, 3] },
  { from: [2, 9, 3, 1], to: [37, 12] },
  { from: [1, 5, 11, 1], to: [6, 12] },
  { from: [2, 38, 22, 3], to: [19, 11] },
  { from: [1, 9, 8, 4], to: [3, 2] },
  { from: [1, 4, 3, 1], to: [1, 1] },
  { from: [2, 17, 11, 8], to: [71, 43] },
  { from: [1, 18, 21, 1], to: [72, 84] },
  { from: [1, 136, 38, 3], to: [68, 19] },
  { from: [2, 9, 33, 8], to: [3, 11] },
] as const;

function resizing(name: string, from: readonly number[], to: readonly [number, number]): KernelCase {
  const { number, options: mode } = modes[name] ?? { number: 0, options: { mode: 'nearest' } };
  const options = { ...mode, height: to[0], width: to[1] };
  const host = randomTensor(from, 4);
  const input = array64(host);
  const values = resize2dReference(input, options);
  const [, height = 1, width = 1, channels = 1] = from;
  const largest = Math.max(...absolute(input).data);
  const parameters = { height, width, channels, outHeight: to[0], outWidth: to[1], mode: number };
  // Positions are computed in f32: a weight is off by up to the rounding of the largest position.
  const terms = Math.ceil((height + 1) / to[0]) * Math.ceil((width + 1) / to[1]) * 4 + height + width;
  return {
    name: `${name}, [${from.join(', ')}] to ${to.join('×')}`,
    inputs: [host],
    kernel: (graph, inputs) => resize2d(graph, only(inputs), options),
    twin: (graph, inputs) => twin(graph, 'resize2d', naive, inputs, parameters, values.shape),
    reference:
      number === 0
        ? exact(values)
        : bounded(
            values,
            build64(values.shape, () => largest),
            terms,
          ),
    shape: values.shape,
    // Antialiasing takes another way.
    variants:
      number === 3
        ? antialiasVariants.map((variant) => ({ 'resize2d-antialias': variant.name }))
        : resize2dVariants.map((variant) => ({ resize2d: variant.name })),
  };
}

describe('resize2d', () => {
  testCases(Object.keys(modes).flatMap((name) => sizes.map(({ from, to }) => resizing(name, from, to))));

  for (const [name, { options: mode }] of Object.entries(modes)) {
    it(`gradient of ${name}`, async () => {
      const gpu = await testGpu();
      for (const [height, width] of [
        [4, 9],
        [11, 3],
        [4, 2],
      ] as const) {
        const options = { ...mode, height, width };
        const host = randomTensor([2, height === 4 && width === 2 ? 8 : 7, width === 2 ? 6 : 5, 3], 5);
        await expectGradient(
          gpu,
          [host],
          (graph, inputs) => resize2d(graph, only(inputs), options),
          ([x]) => resize2dReference(x ?? array64(host), options),
        );
      }
    });
  }

  it('shrinks on hardware, which takes vectors and narrower strips, as in software', async () => {
    const gpu = await testGpu();
    for (const to of [
      [9, 7],
      [6, 7],
    ] as const) {
      const { inputs, kernel, reference } = resizing('bilinear with antialiasing', [2, 18, 14, 4], to);
      for (const kind of ['hardware', 'lavapipe'] as const) {
        const adapter = { ...gpu.profile, class: kind };
        const [result] = await runOperator(gpu, inputs, (graph, tensors) => [kernel(graph, tensors)], { adapter });
        if (!result) throw new Error('no result');
        expectWithin(result.data, reference);
      }
    }
  });

  it("gives the numbers that PyTorch's definitions give by hand", async () => {
    const gpu = await testGpu();
    const host = { shape: [1, 3, 4, 1], data: Float32Array.of(0, 1, 2, 3, 10, 20, 30, 40, 5, 0, 5, 0) };
    const results = await runOperator(gpu, [host], (graph, inputs) =>
      Object.values(modes).map(({ options }) => resize2d(graph, only(inputs), { ...options, height: 2, width: 3 })),
    );
    const expected = [
      [0, 1, 2, 10, 20, 30],
      [3.041667, 7.375, 11.708333, 6.041667, 8.125, 10.208333],
      [0, 1.5, 3, 5, 2.5, 0],
      [5.0625, 10.3125, 15.5625, 7.0625, 10.9375, 14.8125],
    ];
    expected.forEach((values, index) => {
      values.forEach((value, element) => expect(results[index]?.data[element]).toBeCloseTo(value, 5));
    });
  });

  it('refuses options that do not go together', () => {
    const graph = new Graph('test');
    const image = graph.input('image', [1, 2, 2, 1]);
    const size = { height: 4, width: 4 };
    expect(() => resize2d(graph, image, { ...size, mode: 'nearest', antialias: true })).toThrow(/mode bilinear/);
    expect(() => resize2d(graph, image, { ...size, mode: 'bilinear', antialias: true, alignCorners: true })).toThrow(
      /without alignCorners/,
    );
  });
});
