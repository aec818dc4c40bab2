import { describe, expect, it } from 'vitest';
import type { AdapterClass } from '../../src/engine/adapter.js';
import { Graph } from '../../src/engine/graph.js';
import type { HostTensor } from '../../src/engine/tensor.js';
import { pool2d, pool2dVariants, type Pool2dOptions } from '../../src/kernels/pool2d.js';
import { testGpu } from '../gpu.js';
import { absolute, array64, bounded, exact, sizes } from '../reference/array64.js';
import naive from '../reference/pool2d-naive.wgsl';
import { pool2dReference } from '../reference/pool2d.js';
import { twin } from '../reference/twin.js';
import { only, testCases, type KernelCase } from './cases.js';
import { expectGradient } from './gradient-check.js';
import { randomTensor, runOperator } from './harness.js';

const shapes = [
  [1, 1, 1, 1],
  [2, 7, 5, 3],
  [1, 13, 17, 8],
  [3, 6, 4, 4],
  [1, 41, 6, 4],
] as const;
const optionSets: Record<string, Pool2dOptions> = {
  'max 3/2, padding 1': { mode: 'max', kernel: 3, stride: 2, padding: 1 },
  'max 3/2, rounded up': {
    mode: 'max',
    kernel: 3,
    stride: 2,
    padding: { top: 0, bottom: 2, left: 1, right: 1 },
    ceil: true,
  },
  'average 3/1, padding counted': { mode: 'average', kernel: 3, stride: 1, padding: 1 },
  'average 3/2, padding not counted': {
    mode: 'average',
    kernel: 3,
    stride: 2,
    padding: { top: 1, bottom: 2, left: 2, right: 1 },
    countPadding: false,
    ceil: true,
  },
};

function pooling(shape: readonly number[], options: Pool2dOptions, name: string): KernelCase {
  const host = randomTensor(shape, 3);
  const input = array64(host);
  const values = pool2dReference(input, options);
  const { mode, kernel, stride, padding: given = 0, countPadding = true } = options;
  const padding = typeof given === 'number' ? { top: given, bottom: given, left: given, right: given } : given;
  const [, height, width, channels] = sizes(input);
  const [, outHeight, outWidth] = sizes(values);
  const average = mode === 'average' ? 1 : 0;
  const parameters = {
    height,
    width,
    channels,
    outHeight,
    outWidth,
    kernel,
    stride,
    ...padding,
    average,
    countPadding: countPadding ? 1 : 0,
  };
  return {
    name: `${name} of [${shape.join(', ')}]`,
    inputs: [host],
    kernel: (graph, inputs) => pool2d(graph, only(inputs), options),
    twin: (graph, inputs) => twin(graph, 'pool2d', naive, inputs, parameters, values.shape),
    reference:
      mode === 'max' ? exact(values) : bounded(values, pool2dReference(absolute(input), options), kernel ** 2 + 1),
    shape: values.shape,
    variants: pool2dVariants.map((variant) => ({ pool2d: variant.name })),
  };
}

describe('pool2d', () => {
  testCases(
    shapes.flatMap((shape) => Object.entries(optionSets).map(([name, options]) => pooling(shape, options, name))),
  );

  for (const [name, options] of Object.entries(optionSets)) {
    it(`gradient of ${name}`, async () => {
      const gpu = await testGpu();
      for (const shape of [
        [2, 5, 7, 3],
        [1, 4, 6, 4],
      ]) {
        await expectGradient(
          gpu,
          [randomTensor(shape, 5)],
          (graph, inputs) => pool2d(graph, only(inputs), options),
          ([x]) => pool2dReference(x ?? array64(randomTensor(shape, 5)), options),
        );
      }
    });
  }

  it('gives the same in the shorter strips of hardware', async () => {
    const gpu = await testGpu();
    const host = randomTensor([2, 23, 9, 4], 3);
    const run = (adapterClass: AdapterClass): Promise<HostTensor[]> =>
      runOperator(
        gpu,
        [host],
        (graph, inputs) => Object.values(optionSets).map((options) => pool2d(graph, only(inputs), options)),
        { adapter: { ...gpu.profile, class: adapterClass }, kernels: { pool2d: 'strip' } },
      );
    expect(await run('hardware')).toEqual(await run('lavapipe'));
  });

  it('refuses windows larger than the image and padding as large as the window', () => {
    const graph = new Graph('test');
    const image = graph.input('image', [1, 2, 2, 1]);
    expect(() => pool2d(graph, image, { mode: 'max', kernel: 3, stride: 1 })).toThrow(/smaller than the kernel/);
    expect(() => pool2d(graph, image, { mode: 'max', kernel: 2, stride: 1, padding: 2 })).toThrow(/padding 2/);
  });
});
