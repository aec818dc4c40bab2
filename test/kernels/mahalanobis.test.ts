import { describe, expect, it } from 'vitest';
import { Graph } from '../../src/engine/graph.js';
import type { Gpu } from '../../src/engine/gpu.js';
import { compile } from '../../src/engine/plan.js';
import { Program } from '../../src/engine/program.js';
import { choleskyInverse } from '../../src/kernels/cholesky/cholesky-inverse.js';
import { mahalanobis } from '../../src/kernels/mahalanobis/mahalanobis.js';
import { packedTriangle } from '../../src/kernels/position-chunks.js';
import { testGpu } from '../gpu.js';
import choleskyTwin from '../reference/cholesky-inverse.wgsl';
import { choleskyInverseReference, distanceReference, momentsReference, rowStart } from '../reference/gaussian.js';
import mahalanobisTwin from '../reference/mahalanobis.wgsl';
import { twin } from '../reference/twin.js';
import { expectWithin, randomTensor, runOperator } from './harness.js';

const ridge = 0.01;

/** Co-moments `[P, d(d+1)/2]` of fewer images than dimensions where d is large: the ridge alone makes them invertible. */
function comoments(images: number, p: number, d: number, seed: number): Float32Array {
  const features = randomTensor([images, p, d], seed).data;
  // Channels of very different spread, as those of a network.
  const spread = features.map((value, index) => value * 2 ** ((index % 7) - 4));
  return Float32Array.from(momentsReference(spread, images, p, d).comoment);
}

async function inverseFactor(
  gpu: Gpu,
  comoment: Float32Array,
  p: number,
  d: number,
  seen: number,
  variant: string,
): Promise<{ factor: Float32Array; steps: number }> {
  const graph = new Graph('factor');
  const triangle = packedTriangle(d);
  const matrix = graph.parameter('comoment', [p, triangle], {
    contents: () => ({ shape: [p, triangle], data: comoment }),
  });
  const images = graph.parameter('seen', [1], { contents: () => ({ shape: [1], data: Float32Array.of(seen) }) });
  choleskyInverse(graph, matrix, images, ridge);
  const plan = compile(graph, { adapter: gpu.profile, kernels: { 'cholesky-inverse': variant } });
  expect([...plan.choices.values()]).toEqual([variant]);
  const program = await Program.create(gpu, plan);
  try {
    program.run();
    return { factor: (await program.pool.read('comoment')).data, steps: plan.steps.length };
  } finally {
    program.destroy();
  }
}

/** Largest |W Σ Wᵀ − I| of one position, and the largest eigenvalue that Σ can have. */
function whiteness(comoment: Float32Array, factor: Float32Array, d: number, seen: number): [number, number] {
  const sigma = (i: number, j: number): number =>
    (comoment[rowStart(Math.max(i, j)) + Math.min(i, j)] ?? NaN) / Math.max(seen - 1, 1) + (i === j ? ridge : 0);
  const w = (i: number, j: number): number => (j <= i ? (factor[rowStart(i) + j] ?? NaN) : 0);
  let worst = 0;
  let trace = 0;
  for (let i = 0; i < d; i++) {
    trace += sigma(i, i);
    const row = Array.from({ length: d }, (_, j) => {
      let sum = 0;
      for (let k = 0; k <= i; k++) sum += w(i, k) * sigma(k, j);
      return sum;
    });
    for (let j = 0; j <= i; j++) {
      let sum = i === j ? -1 : 0;
      for (let k = 0; k <= j; k++) sum += (row[k] ?? NaN) * w(j, k);
      worst = Math.max(worst, Math.abs(sum));
    }
  }
  return [worst, trace];
}

describe('inverse Cholesky factor', () => {
  const sizes = [
    { images: 1, p: 1, d: 1 },
    { images: 5, p: 3, d: 2 },
    { images: 4, p: 19, d: 5 },
    { images: 6, p: 17, d: 16 },
    { images: 20, p: 2, d: 103 },
    { images: 3, p: 1, d: 150 },
  ];
  it.each(sizes.flatMap((size) => ['lane', 'workgroup'].map((variant) => ({ ...size, variant }))))(
    '$variant: $p positions of $d dimensions, $images images',
    async ({ images, p, d, variant }) => {
      const comoment = comoments(images, p, d, 31 * d + p);
      const { factor } = await inverseFactor(await testGpu(), comoment, p, d, images, variant);
      const triangle = packedTriangle(d);
      for (let position = 0; position < p; position++) {
        const part = (data: Float32Array): Float32Array =>
          data.subarray(position * triangle, (position + 1) * triangle);
        const [worst, largest] = whiteness(part(comoment), part(factor), d, images);
        const condition = largest / ridge;
        expect(worst).toBeLessThanOrEqual(d * condition * 2 ** -24 * 2);
        const reference = choleskyInverseReference(part(comoment), d, images, ridge);
        const largestFactor = reference.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        const bounds = reference.map(() => d * condition * 2 ** -24 * largestFactor);
        expectWithin(part(factor), { values: reference, bounds });
      }
    },
  );

  it('the variants and the naive twin agree, whatever the runs of positions', async () => {
    const [images, p, d] = [9, 23, 43];
    const triangle = packedTriangle(d);
    const comoment = comoments(images, p, d, 5);
    const limited = await testGpu({ bindingLimitBytes: 16_384 });
    const [naive] = await runOperator(
      await testGpu(),
      [{ shape: [p, packedTriangle(d)], data: comoment }],
      (graph, [input]) => {
        if (!input) throw new Error('no input');
        const parameters = { dimensions: d, scale: 1 / (images - 1), ridge };
        return [twin(graph, 'cholesky-inverse', choleskyTwin, [input], parameters, input.shape)];
      },
    );
    if (!naive) throw new Error('no result');
    for (const variant of ['lane', 'workgroup']) {
      const whole = await inverseFactor(await testGpu(), comoment, p, d, images, variant);
      const cut = await inverseFactor(limited, comoment, p, d, images, variant);
      expect(whole.steps).toBe(1);
      expect(cut.steps).toBeGreaterThan(5);
      expect(cut.factor).toEqual(whole.factor);
      for (let position = 0; position < p; position++) {
        const part = (data: Float32Array): Float32Array =>
          data.subarray(position * triangle, (position + 1) * triangle);
        const [, largest] = whiteness(part(comoment), part(whole.factor), d, images);
        const values = Float64Array.from(part(naive.data));
        const largestFactor = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        const bounds = values.map(() => 2 * d * (largest / ridge) * 2 ** -24 * largestFactor);
        expectWithin(part(whole.factor), { values, bounds });
      }
    }
  });

  it('refuses a length that is no triangle, and a ridge of zero', () => {
    const graph = new Graph('wrong');
    const seen = graph.parameter('seen', [1]);
    expect(() => choleskyInverse(graph, graph.parameter('a', [2, 7]), seen, ridge)).toThrow(/packed triangles/);
    expect(() => choleskyInverse(graph, graph.parameter('b', [2, 6]), seen, 0)).toThrow(/ridge/);
  });
});

describe('Mahalanobis distance', () => {
  const names = ['lane', 'lane-images', 'rows', 'tiled'];
  async function distances(
    gpu: Gpu,
    shape: readonly [number, number, number],
    data: { features: Float32Array; mean: Float32Array; factor: Float32Array },
    variant: string,
  ): Promise<Float32Array> {
    const [images, p, d] = shape;
    const inputs = [
      { shape: [images, p, d], data: data.features },
      { shape: [p, d], data: data.mean },
      { shape: [p, packedTriangle(d)], data: data.factor },
    ];
    const [result] = await runOperator(
      gpu,
      inputs,
      (graph, [features, mean, factor]) => {
        if (!features || !mean || !factor) throw new Error('no input');
        if (variant !== 'naive') return [mahalanobis(graph, features, mean, factor)];
        const parameters = { positions: p, dimensions: d };
        return [twin(graph, 'mahalanobis', mahalanobisTwin, [features, mean, factor], parameters, [images, p])];
      },
      { kernels: { mahalanobis: variant } },
    );
    if (!result) throw new Error('no result');
    return result.data;
  }
  const randomData = (images: number, p: number, d: number) => ({
    features: randomTensor([images, p, d], d, 3).data,
    mean: randomTensor([p, d], d + 1, 3).data,
    factor: randomTensor([p, packedTriangle(d)], d + 2).data,
  });

  it.each([
    { images: 1, p: 1, d: 1 },
    { images: 3, p: 7, d: 4 },
    { images: 2, p: 65, d: 13 },
    { images: 1, p: 4, d: 101 },
    { images: 1, p: 2, d: 301 },
    { images: 6, p: 3, d: 64 },
    { images: 19, p: 5, d: 33 },
    { images: 16, p: 2, d: 97 },
  ])('$images images, $p positions, $d dimensions', async ({ images, p, d }) => {
    const data = randomData(images, p, d);
    const triangle = packedTriangle(d);
    const values = new Float64Array(images * p);
    const bounds = new Float64Array(images * p);
    for (let index = 0; index < images * p; index++) {
      const position = index % p;
      const x = data.features.subarray(index * d, (index + 1) * d);
      const mean = data.mean.subarray(position * d, (position + 1) * d);
      const factor = data.factor.subarray(position * triangle, (position + 1) * triangle);
      values[index] = distanceReference(x, mean, factor);
      let scale = 0;
      for (let i = 0; i < d; i++) {
        let row = 0;
        for (let j = 0; j <= i; j++) {
          row += Math.abs((factor[rowStart(i) + j] ?? 0) * (Math.abs(x[j] ?? 0) + Math.abs(mean[j] ?? 0)));
        }
        scale += row * row;
      }
      bounds[index] = 2 * (d + 2) * 2 ** -24 * Math.sqrt(scale);
    }
    for (const variant of [...names, 'naive']) {
      expectWithin(await distances(await testGpu(), [images, p, d], data, variant), { values, bounds });
    }
  });

  it('gives the same bits when a low binding limit cuts the positions into runs', async () => {
    const data = randomData(2, 31, 37);
    const limited = await testGpu({ bindingLimitBytes: 16_384 });
    for (const variant of names) {
      const whole = await distances(await testGpu(), [2, 31, 37], data, variant);
      expect(await distances(limited, [2, 31, 37], data, variant)).toEqual(whole);
    }
  });

  it('gives an image the same bits whatever images stand beside it', async () => {
    const [images, p, d] = [7, 19, 38];
    const data = randomData(images, p, d);
    for (const variant of names) {
      const together = await distances(await testGpu(), [images, p, d], data, variant);
      // What takes four images at a time is not offered for one.
      const same = variant === 'lane-images' ? 'lane' : variant;
      for (const image of [0, 6]) {
        const features = data.features.subarray(image * p * d, (image + 1) * p * d);
        const alone = await distances(await testGpu(), [1, p, d], { ...data, features }, same);
        expect(alone).toEqual(together.slice(image * p, (image + 1) * p));
      }
    }
  });
});
