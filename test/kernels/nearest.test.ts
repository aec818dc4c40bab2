import { describe, expect, it } from 'vitest';
import { assumedAdapter, type AdapterProfile } from '../../src/engine/adapter.js';
import { Graph } from '../../src/engine/graph.js';
import { compile, type PlanOptions } from '../../src/engine/plan.js';
import { Program } from '../../src/engine/program.js';
import type { HostTensor } from '../../src/engine/tensor.js';
import { nearest } from '../../src/kernels/nearest/nearest.js';
import { teamFor } from '../../src/kernels/nearest/team.js';
import { testGpu } from '../gpu.js';
import { nearestReference } from '../reference/nearest.js';
import { randomTensor, runOperator } from './harness.js';

async function search(
  queries: HostTensor,
  bank: HostTensor,
  k: number,
  options: Partial<PlanOptions> = {},
): Promise<{ distances: Float32Array; indices: Float32Array }> {
  const gpu = await testGpu();
  const [distances, indices] = await runOperator(
    gpu,
    [queries, bank],
    (graph, [q, b]) => {
      if (!q || !b) throw new Error('two tensors are given');
      const found = nearest(graph, q, b, { k });
      return [found.distances, found.indices];
    },
    options,
  );
  return { distances: distances?.data ?? new Float32Array(), indices: indices?.data ?? new Float32Array() };
}

function limited(profile: AdapterProfile, bytes: number): AdapterProfile {
  return { ...profile, limits: { ...profile.limits, maxStorageBufferBindingSize: bytes } };
}

/** Fails where an index is not the f64 one although the gap exceeds the bound, or a distance is not the row's own. */
function expectNearest(
  queries: HostTensor,
  bank: HostTensor,
  k: number,
  { distances, indices }: { distances: Float32Array; indices: Float32Array },
): number {
  const [count = 0, elements = 0] = queries.shape;
  let decided = 0;
  for (let query = 0; query < count; query++) {
    const vector = queries.data.subarray(query * elements, (query + 1) * elements);
    const { squares, order, bound } = nearestReference(vector, bank.data, elements);
    const square = (rank: number): number => squares[order[rank] ?? 0] ?? Infinity;
    for (let rank = 0; rank < k; rank++) {
      const index = indices[query * k + rank] ?? NaN;
      const distance = distances[query * k + rank] ?? NaN;
      const own = Math.sqrt(squares[index] ?? NaN);
      // A sum of d squares in f32, then a root: no cancellation, so the error is relative.
      expect(Math.abs(distance - own)).toBeLessThanOrEqual((elements + 4) * 2 ** -24 * own);
      const gap = Math.min(
        rank + 1 < order.length ? square(rank + 1) - square(rank) : Infinity,
        rank > 0 ? square(rank) - square(rank - 1) : Infinity,
      );
      if (gap > bound) {
        expect(index).toBe(order[rank]);
        decided += 1;
      }
    }
  }
  return decided;
}

/** Rows around a few centres. */
function clustered(rows: number, elements: number, seed: number, spread: number, offset: number): HostTensor {
  const centres = randomTensor([7, elements], seed);
  const noise = randomTensor([rows, elements], seed + 1, spread);
  const data = noise.data.map(
    (value, i) =>
      value + offset + (centres.data[((Math.floor(i / elements) * 5) % 7) * elements + (i % elements)] ?? 0),
  );
  return { shape: [rows, elements], data };
}

const variants = ['naive', 'register', 'subgroup', 'shared'];

/** The same adapter as if it were a large device: other tiles, more segments, sums over a row by many threads. */
const asHardware = (profile: AdapterProfile): AdapterProfile => ({ ...profile, class: 'hardware' });

/** Every variant as the adapter runs it; the plainest, and selection by a workgroup together, as on a large device. */
const settings = (profile: AdapterProfile): (readonly [string, AdapterProfile])[] => [
  ...variants.map((variant) => [variant, profile] as const),
  ['naive', asHardware(profile)],
  ['register', asHardware(profile)],
];

describe('nearest', () => {
  for (const variant of variants) {
    it(`finds the rows of brute force in f64 (${variant})`, async () => {
      const { profile } = await testGpu();
      const kernels = { nearest: variant };
      let decided = 0;
      for (const [queries, bank, k] of [
        [randomTensor([37, 64], 1), randomTensor([301, 64], 2), 1],
        [randomTensor([3, 8], 3), randomTensor([17, 8], 4), 16],
        [clustered(21, 32, 5, 0.1, 0), clustered(500, 32, 7, 0.1, 0), 9],
        [clustered(5, 32, 5, 1e-3, 3), clustered(130, 32, 7, 1e-3, 3), 3],
        [randomTensor([1, 4], 8), randomTensor([1, 4], 9), 1],
      ] as const) {
        const large = variant === 'naive' || variant === 'shared' ? [asHardware(profile)] : [];
        for (const adapter of [profile, ...large]) {
          const found = await search(queries, bank, k, { kernels, adapter });
          decided += expectNearest(queries, bank, k, found);
        }
      }
      expect(decided).toBeGreaterThan(200);
    });
  }

  it('gives the same bytes however bank and queries are cut', async () => {
    const gpu = await testGpu();
    const queries = randomTensor([150, 384], 11);
    const bank = randomTensor([1500, 384], 12);
    for (const [variant, adapter] of settings(gpu.profile)) {
      const kernels = { nearest: variant };
      const whole = await search(queries, bank, 5, { kernels, adapter });
      const cut = await search(queries, bank, 5, { kernels, adapter: limited(adapter, 2 ** 20) });
      expect(cut).toEqual(whole);
      // 64 queries at a time, too.
      const fine = await search(queries, bank, 5, { kernels, adapter: limited(adapter, 100 * 1024) });
      expect(fine).toEqual(whole);
      const one: HostTensor = { shape: [1, 384], data: queries.data.subarray(149 * 384) };
      const alone = await search(one, bank, 5, { kernels, adapter });
      expect(alone.indices).toEqual(whole.indices.slice(149 * 5));
      expect(alone.distances).toEqual(whole.distances.slice(149 * 5));
    }
    expectNearest(queries, bank, 5, await search(queries, bank, 5));
  });

  it('orders equal distances by row, in and across chunks', async () => {
    const gpu = await testGpu();
    const few = randomTensor([5, 128], 13);
    const bank: HostTensor = { shape: [3000, 128], data: new Float32Array(3000 * 128) };
    for (let row = 0; row < 3000; row++)
      bank.data.set(few.data.subarray((row % 5) * 128, ((row % 5) + 1) * 128), row * 128);
    for (const [variant, adapter] of settings(limited(gpu.profile, 2 ** 20))) {
      const { distances, indices } = await search(few, bank, 16, { adapter, kernels: { nearest: variant } });
      for (let query = 0; query < 5; query++) {
        for (let rank = 0; rank < 16; rank++) {
          expect(indices[query * 16 + rank]).toBe(query + 5 * rank);
          expect(distances[query * 16 + rank]).toBe(0);
        }
      }
    }
  });

  it('selects together on hardware what each thread selects alone in software', async () => {
    const { profile } = await testGpu();
    // More equal rows than a list has members, in all slices; the second bank has fewer rows than a workgroup has slices.
    const rows = randomTensor([100, 8], 41);
    const bank: HostTensor = { shape: [2300, 8], data: new Float32Array(2300 * 8) };
    for (let row = 0; row < 2300; row++)
      bank.data.set(rows.data.subarray((row % 100) * 8, ((row % 100) + 1) * 8), row * 8);
    const tiny: HostTensor = { shape: [17, 8], data: bank.data.subarray(0, 17 * 8) };
    for (const k of [1, 2, 9, 16]) {
      // A multiple of the tile of eight queries, one less, and a single one.
      const queries = randomTensor([[16, 23, 1][k % 3] ?? 1, 8], 50 + k);
      for (const searched of [bank, tiny]) {
        const alone = await search(queries, searched, k, { kernels: { nearest: 'register' } });
        // All rows at once in two segments; and in chunks of some hundred rows, as the binding limit cuts them.
        for (const adapter of [asHardware(profile), limited(asHardware(profile), 64 * 1024)]) {
          expect(await search(queries, searched, k, { adapter, kernels: { nearest: 'register' } })).toEqual(alone);
        }
      }
    }
  });

  it('takes as large a team as workgroup memory has room for, and none in software', () => {
    expect(teamFor(4, assumedAdapter)).toEqual({ queries: 8, slices: 32 });
    expect(teamFor(19, assumedAdapter)).toEqual({ queries: 8, slices: 8 });
    expect(teamFor(4, { ...assumedAdapter, class: 'lavapipe' })).toBeUndefined();
    expect(teamFor(4, { ...assumedAdapter, class: 'swiftshader' })).toBeUndefined();
  });

  it('measures vectors that nearly coincide without cancellation', async () => {
    // Rows differ from a long common vector in one element by steps that the ranking's rounding swallows in part.
    const base = clustered(1, 64, 21, 0, 10);
    const bank: HostTensor = { shape: [40, 64], data: new Float32Array(40 * 64) };
    for (let row = 0; row < 40; row++) {
      bank.data.set(base.data, row * 64);
      bank.data[row * 64 + row] = (base.data[row] ?? 0) + 0.02 * (1 + ((row * 7) % 40));
    }
    const { profile } = await testGpu();
    for (const [variant, adapter] of [...settings(profile), ...settings(limited(profile, 2 ** 20))]) {
      const found = await search(base, bank, 16, { adapter, kernels: { nearest: variant } });
      expect(expectNearest(base, bank, 16, found)).toBeGreaterThan(8);
      expect(found.distances[0]).toBeCloseTo(0.02, 5);
    }
  });

  it('searches a bank of 16-bit floats as if it had been rounded', async () => {
    const queries = randomTensor([20, 64], 31);
    const bank = randomTensor([200, 64], 32);
    const gpu = await testGpu();
    const rounded: HostTensor = { shape: bank.shape, data: bank.data.map((value) => Math.fround(toHalf(value))) };
    for (const [variant, adapter] of settings(gpu.profile)) {
      const graph = new Graph('half');
      const q = graph.parameter('queries', queries.shape, { contents: () => queries });
      const b = graph.parameter('bank', bank.shape, { contents: () => bank, dtype: 'f16' });
      const { distances, indices } = nearest(graph, q, b, { k: 4 });
      graph.output(distances);
      graph.output(indices);
      const program = await Program.create(gpu, compile(graph, { adapter, kernels: { nearest: variant } }));
      const results = await program.execute(new Map());
      program.destroy();
      expectNearest(queries, rounded, 4, {
        distances: results.get(distances) ?? new Float32Array(),
        indices: results.get(indices) ?? new Float32Array(),
      });
    }
  });

  it('refuses what it cannot compute in one line', async () => {
    await expect(search(randomTensor([2, 8], 1), randomTensor([2, 12], 1), 1)).rejects.toThrow(/one length/);
    await expect(search(randomTensor([2, 6], 1), randomTensor([2, 6], 1), 1)).rejects.toThrow(/multiple of 4/);
    await expect(search(randomTensor([2, 8], 1), randomTensor([5, 8], 1), 6)).rejects.toThrow(/ask for 1 to 5/);
    await expect(search(randomTensor([2, 8], 1), randomTensor([50, 8], 1), 17)).rejects.toThrow(/ask for 1 to 16/);
  });
});

/** The nearest 16-bit float, for values in the normal range. */
function toHalf(value: number): number {
  if (Math.abs(value) < 2 ** -14) return Math.round(value * 2 ** 24) / 2 ** 24;
  const unit = 2 ** (Math.floor(Math.log2(Math.abs(value))) - 10);
  const scaled = value / unit;
  const floor = Math.floor(scaled);
  const rest = scaled - floor;
  const up = rest > 0.5 || (rest === 0.5 && floor % 2 !== 0);
  return (floor + (up ? 1 : 0)) * unit;
}
