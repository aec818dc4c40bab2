import { describe, expect, it } from 'vitest';
import { Graph } from '../../src/engine/graph.js';
import { gaussianBlur, gaussianBlurVariants, gaussianWeights } from '../../src/kernels/gaussian-blur.js';
import { testGpu } from '../gpu.js';
import { absolute, array64, bounded } from '../reference/array64.js';
import naive from '../reference/gaussian-blur-naive.wgsl';
import { gaussianBlurReference } from '../reference/gaussian-blur.js';
import { twin } from '../reference/twin.js';
import { only, testCases, type KernelCase } from './cases.js';
import { expectWithin, randomTensor, runOperator } from './harness.js';

const images = [
  { shape: [1, 1, 1, 1], sigma: 1 },
  { shape: [1, 3, 2, 1], sigma: 4 },
  { shape: [2, 19, 23, 1], sigma: 1 },
  { shape: [1, 35, 40, 1], sigma: 4 },
  { shape: [2, 11, 13, 3], sigma: 2 },
  { shape: [1, 18, 5, 8], sigma: 0.7 },
  { shape: [1, 67, 68, 1], sigma: 2 },
  { shape: [2, 20, 64, 1], sigma: 4 },
  { shape: [1, 276, 28, 1], sigma: 1.3 },
  { shape: [1, 104, 112, 1], sigma: 8 },
] as const;

function blurring({ shape, sigma }: (typeof images)[number]): KernelCase {
  const host = randomTensor(shape, 6);
  const input = array64(host);
  const values = gaussianBlurReference(input, sigma);
  const radius = (gaussianWeights(sigma).length - 1) / 2;
  const [, height, width, channels] = shape;
  return {
    name: `[${shape.join(', ')}], sigma ${sigma}`,
    inputs: [host],
    kernel: (graph, inputs) => gaussianBlur(graph, only(inputs), { sigma }),
    twin: (graph, inputs) =>
      twin(graph, 'gaussian-blur', naive, inputs, { height, width, channels, radius, sigma }, values.shape),
    reference: bounded(values, gaussianBlurReference(absolute(input), sigma), 2 * (2 * radius + 1) + 8),
    shape,
    variants: gaussianBlurVariants.map((variant) => ({ 'gaussian-blur': variant.name })),
  };
}

describe('gaussianBlur', () => {
  testCases(images.map(blurring));

  it('is right with its loops written out, as for hardware', async () => {
    const gpu = await testGpu();
    const host = randomTensor([1, 70, 40, 1], 6);
    const adapter = { ...gpu.profile, class: 'hardware' as const };
    const [result] = await runOperator(
      gpu,
      [host],
      (graph, inputs) => [gaussianBlur(graph, only(inputs), { sigma: 0.7 })],
      { adapter },
    );
    const input = array64(host);
    const taps = gaussianWeights(0.7).length;
    const reference = bounded(
      gaussianBlurReference(input, 0.7),
      gaussianBlurReference(absolute(input), 0.7),
      2 * taps + 8,
    );
    expectWithin(result?.data ?? new Float32Array(), reference);
  });

  it('has weights that sum to 1 at the size of the reference implementation', () => {
    expect(gaussianWeights(4).length).toBe(33);
    expect(gaussianWeights(2).length).toBe(17);
    expect(gaussianWeights(4).reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 6);
  });

  it('refuses an impossible sigma', () => {
    const graph = new Graph('test');
    expect(() => gaussianBlur(graph, graph.input('map', [1, 4, 4, 1]), { sigma: 0 })).toThrow(/sigma 0/);
  });
});
