import { describe, expect, it } from 'vitest';
import { Graph } from '../../src/engine/graph.js';
import type { Gpu } from '../../src/engine/gpu.js';
import { compile } from '../../src/engine/plan.js';
import { Program } from '../../src/engine/program.js';
import { momentsVariants, updateMoments } from '../../src/kernels/moments/moments.js';
import { packedTriangle } from '../../src/kernels/position-chunks.js';
import { testGpu } from '../gpu.js';
import comomentTwin from '../reference/comoment.wgsl';
import { momentsReference } from '../reference/gaussian.js';
import { twin } from '../reference/twin.js';
import { expectWithin, randomTensor, runOperator } from './harness.js';

interface Result {
  readonly mean: Float32Array;
  readonly comoment: Float32Array;
  readonly seen: number;
  readonly steps: number;
}

/** Streams features `[N, P, d]` through the kernel in batches; places behind the last image hold infinities. */
async function stream(
  gpu: Gpu,
  features: Float32Array,
  [p, d, batch]: readonly [number, number, number],
  moments = 'blocks',
): Promise<Result> {
  const graph = new Graph('moments');
  const input = graph.input('features', [batch, p, d]);
  const valid = graph.input('valid', [1]);
  const mean = graph.parameter('mean', [p, d]);
  const comoment = graph.parameter('comoment', [p, packedTriangle(d)]);
  const seen = graph.parameter('seen', [1]);
  updateMoments(graph, input, valid, { mean, comoment, seen });
  const program = await Program.create(gpu, compile(graph, { adapter: gpu.profile, kernels: { moments } }));
  try {
    const images = features.length / (p * d);
    for (let first = 0; first < images; first += batch) {
      const count = Math.min(batch, images - first);
      const data = new Float32Array(batch * p * d).fill(Infinity);
      data.set(features.subarray(first * p * d, (first + count) * p * d));
      await program.write(0, input, data);
      await program.write(0, valid, Float32Array.of(count));
      program.run();
    }
    const read = async (name: string): Promise<Float32Array> => (await program.pool.read(name)).data;
    return {
      mean: await read('mean'),
      comoment: await read('comoment'),
      seen: (await read('seen'))[0] ?? NaN,
      steps: program.plan.steps.length,
    };
  } finally {
    program.destroy();
  }
}

/** Features with a spread of `scale` around a mean that is `offset` times larger. */
function features(images: number, p: number, d: number, seed: number, offset: number): Float32Array {
  const noise = randomTensor([images, p, d], seed).data;
  const centre = randomTensor([p, d], seed + 1, offset).data;
  return noise.map((value, index) => value + (centre[index % (p * d)] ?? 0));
}

describe('streaming mean and co-moment', () => {
  it.each([
    { images: 1, p: 1, d: 1, batch: 1, offset: 0 },
    { images: 7, p: 5, d: 3, batch: 2, offset: 1 },
    { images: 13, p: 3, d: 37, batch: 4, offset: 1 },
    { images: 9, p: 67, d: 8, batch: 9, offset: 1 },
    { images: 11, p: 2, d: 101, batch: 3, offset: 100 },
  ])('$images images, $p positions, $d dimensions in batches of $batch, means up to $offset', async (size) => {
    const { images, p, d, batch, offset } = size;
    const data = features(images, p, d, 17 * d + p, offset);
    const reference = momentsReference(data, images, p, d);
    // The mean is a sum of `images` values; what is centred on it inherits its rounding.
    const unit = 2 ** -24;
    const meanBounds = reference.mean.map(() => 2 * (images + 2) * unit * (offset + 1));
    const shift = 2 * (images + 2) * unit * (offset + 1);
    const bounds = reference.scale.map((scale) => 2 * (images + batch) * unit * scale + 4 * images * shift);
    for (const { name } of momentsVariants) {
      const result = await stream(await testGpu(), data, [p, d, batch], name);
      expect(result.seen).toBe(images);
      expectWithin(result.mean, { values: reference.mean, bounds: meanBounds });
      expectWithin(result.comoment, { values: reference.comoment, bounds });
    }
    if (offset <= 1) {
      const [naive] = await runOperator(await testGpu(), [{ shape: [images, p, d], data }], (graph, [input]) => {
        if (!input) throw new Error('no input');
        const parameters = { images, positions: p, dimensions: d };
        return [twin(graph, 'comoment', comomentTwin, [input], parameters, [p, packedTriangle(d)])];
      });
      if (!naive) throw new Error('no result');
      expectWithin(naive.data, { values: reference.comoment, bounds });
    }
  });

  it('gives the same bits when a low binding limit cuts the positions into runs', async () => {
    const data = features(6, 29, 45, 3, 10);
    for (const { name } of momentsVariants) {
      const whole = await stream(await testGpu(), data, [29, 45, 2], name);
      const limited = await stream(await testGpu({ bindingLimitBytes: 16_384 }), data, [29, 45, 2], name);
      expect(whole.steps).toBe(3);
      expect(limited.steps).toBeGreaterThan(15);
      expect(limited.mean).toEqual(whole.mean);
      expect(limited.comoment).toEqual(whole.comoment);
    }
  });

  it('a batch without valid images changes nothing', async () => {
    const gpu = await testGpu();
    const data = features(2, 2, 5, 8, 1);
    const once = await stream(gpu, data, [2, 5, 2]);
    const graph = new Graph('nothing');
    const input = graph.input('features', [2, 2, 5]);
    const valid = graph.input('valid', [1]);
    const contents = (shape: number[], values: Float32Array) => ({ contents: () => ({ shape, data: values }) });
    const mean = graph.parameter('mean', [2, 5], contents([2, 5], once.mean));
    const comoment = graph.parameter('comoment', [2, 15], contents([2, 15], once.comoment));
    const seen = graph.parameter('seen', [1], contents([1], Float32Array.of(2)));
    updateMoments(graph, input, valid, { mean, comoment, seen });
    const program = await Program.create(gpu, compile(graph, { adapter: gpu.profile }));
    await program.execute(new Map([[valid, Float32Array.of(0)]]));
    expect((await program.pool.read('mean')).data).toEqual(once.mean);
    expect((await program.pool.read('comoment')).data).toEqual(once.comoment);
    expect((await program.pool.read('seen')).data).toEqual(Float32Array.of(2));
    program.destroy();
  });

  it('refuses statistics of another size and a position that fits no binding', async () => {
    const graph = new Graph('wrong');
    const input = graph.input('features', [2, 3, 4]);
    const valid = graph.input('valid', [1]);
    const seen = graph.parameter('seen', [1]);
    const mean = graph.parameter('mean', [3, 4]);
    const wrongSize = graph.parameter('comoment', [3, 9]);
    expect(() => updateMoments(graph, input, valid, { mean, comoment: wrongSize, seen })).toThrow(/do not fit/);
    const gpu = await testGpu({ bindingLimitBytes: 1024 });
    const large = new Graph('large');
    const moments = {
      mean: large.parameter('mean', [1, 45]),
      comoment: large.parameter('comoment', [1, 1035]),
      seen: large.parameter('seen', [1]),
    };
    updateMoments(large, large.input('features', [1, 1, 45]), large.input('valid', [1]), moments);
    expect(() => compile(large, { adapter: gpu.profile })).toThrow(/use fewer dimensions or a smaller batch/);
  });
});
