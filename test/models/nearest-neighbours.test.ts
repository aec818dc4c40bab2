import { describe, expect, it } from 'vitest';
import { coreset, nearest } from '../../src/models/nearest-neighbours.js';
import type { HostTensor } from '../../src/engine/tensor.js';
import { testGpu } from '../gpu.js';
import { randomTensor } from '../kernels/harness.js';
import { kCentreReference, squaresToNearest } from '../reference/k-centre.js';

/** Vectors around centres of different weight, some of them twice. */
function vectors(rows: number, elements: number, seed: number): HostTensor {
  const centres = randomTensor([6, elements], seed, 2);
  const noise = randomTensor([rows, elements], seed + 100, 0.5);
  const data = noise.data.map((value, i) => {
    const row = Math.floor(i / elements);
    return value * (1 + (row % 3)) + (centres.data[((row * row) % 6) * elements + (i % elements)] ?? 0);
  });
  for (let row = 10; row < rows; row += 37) {
    data.copyWithin(row * elements, (row - 10) * elements, (row - 9) * elements);
  }
  return { shape: [rows, elements], data };
}

describe('coreset', () => {
  it('takes the picks of a greedy k-centre in f64, on 20 sets', async () => {
    const gpu = await testGpu();
    for (let set = 0; set < 20; set++) {
      const [rows, elements] = [60 + 27 * set, [8, 12, 32, 5][set % 4] ?? 8];
      const data = vectors(rows, elements, set);
      const count = Math.max(2, Math.floor(rows / 8));
      const { indices, radius, kind } = await coreset(gpu, data, { count, seed: set, project: false });
      expect(kind).toBe('exact');
      const first = indices[0] ?? 0;
      const reference = kCentreReference(data.data, elements, count, first);
      // Where two candidates are as good within rounding the order may differ, and all that follows.
      const tie = reference.leads.findIndex((lead) => lead < 2 * elements * 2 ** -24);
      const decided = tie < 0 ? count : tie;
      expect([...indices.subarray(0, decided)]).toEqual(reference.picks.slice(0, decided));
      expect(decided).toBeGreaterThan(1);
      const own = Math.sqrt(Math.max(...squaresToNearest(data.data, elements, [...indices])));
      expect(Math.abs(radius - own)).toBeLessThanOrEqual(elements * 2 ** -23 * own);
    }
  });

  it('is the same for the same seed and another for another, and takes no vector twice', async () => {
    const gpu = await testGpu();
    const data: HostTensor = { shape: [300, 8], data: new Float32Array(300 * 8) };
    // Only three different vectors.
    data.data.forEach((_, i) => (data.data[i] = Math.floor(i / 8) % 3));
    const a = await coreset(gpu, data, { count: 50, seed: 1 });
    expect(await coreset(gpu, data, { count: 50, seed: 1 })).toEqual(a);
    expect((await coreset(gpu, data, { count: 50, seed: 2 })).indices[0]).not.toBe(a.indices[0]);
    expect(new Set(a.indices).size).toBe(50);
    expect(new Set(a.indices.subarray(0, 3).map((index) => index % 3)).size).toBe(3);
    expect(a.radius).toBe(0);
    const all = await coreset(gpu, data, { count: 300 });
    expect(new Set(all.indices).size).toBe(300);
  });

  it('projects long vectors and still covers them', async () => {
    const gpu = await testGpu();
    const data = vectors(700, 600, 3);
    const { indices } = await coreset(gpu, data, { count: 60, seed: 4 });
    const exact = kCentreReference(data.data, 600, 60, indices[0] ?? 0);
    const own = Math.sqrt(Math.max(...squaresToNearest(data.data, 600, [...indices])));
    expect(own).toBeLessThan(1.3 * exact.radius);
  });

  it('chooses block by block within a budget, covering nearly as well', async () => {
    const gpu = await testGpu();
    const data = vectors(4000, 32, 5);
    const exact = await coreset(gpu, data, { count: 200, seed: 1 });
    const before = gpu.memory.liveBytes;
    gpu.memory.resetPeak();
    const budgetBytes = 400_000;
    const streamed = await coreset(gpu, data, { count: 200, seed: 1, budgetBytes });
    expect(gpu.memory.liveBytes).toBe(before);
    expect(gpu.memory.peakBytes - before).toBeLessThanOrEqual(budgetBytes);
    expect(streamed.kind).toBe('streaming');
    expect(streamed.notes.join()).toMatch(/streaming coreset: \d+ blocks/);
    expect(new Set(streamed.indices).size).toBe(200);
    const radius = ({ indices }: { indices: Uint32Array }): number =>
      Math.sqrt(Math.max(...squaresToNearest(data.data, 32, [...indices])));
    expect(radius(streamed)).toBeLessThanOrEqual(1.8 * radius(exact));
    expect(await coreset(gpu, data, { count: 200, seed: 1, budgetBytes })).toEqual(streamed);
    // Memory does not grow with the number of vectors: where even the chosen do not fit, fewer are chosen, and it says so.
    const small = await coreset(gpu, data, { count: 3000, seed: 1, budgetBytes });
    expect(small.indices.length).toBeLessThan(3000);
    expect(small.notes.join()).toMatch(/instead of 3000/);
    await expect(coreset(gpu, data, { count: 200, budgetBytes: 10_000 })).rejects.toThrow(/are left of the budget/);
  });

  it('can be stopped, and refuses nonsense', async () => {
    const gpu = await testGpu();
    const data = vectors(2000, 64, 6);
    const before = gpu.memory.liveBytes;
    const controller = new AbortController();
    const progress: number[] = [];
    const stopped = coreset(gpu, data, {
      count: 1900,
      signal: controller.signal,
      onProgress: ({ done }) => {
        progress.push(done);
        if (progress.length === 3) controller.abort();
      },
    });
    await expect(stopped).rejects.toThrow(/abort/i);
    expect(progress).toHaveLength(3);
    expect(gpu.memory.liveBytes).toBe(before);
    await expect(coreset(gpu, data, { count: 2001 })).rejects.toThrow(/ask for 1 to 2000/);
    const broken = { shape: data.shape, data: data.data.slice() };
    broken.data[64 * 7 + 3] = NaN;
    await expect(coreset(gpu, broken, { count: 5 })).rejects.toThrow(/row 7 .* not finite/);
  });
});

describe('nearest', () => {
  it('takes vectors of any length', async () => {
    const gpu = await testGpu();
    const queries = randomTensor([4, 6], 1);
    const bank = randomTensor([30, 6], 2);
    const { distances, indices } = await nearest(gpu, queries, bank, 2);
    for (let query = 0; query < 4; query++) {
      const one = queries.data.subarray(query * 6, query * 6 + 6);
      const squares = Array.from({ length: 30 }, (_, row) =>
        one.reduce((sum, value, k) => sum + (value - (bank.data[row * 6 + k] ?? 0)) ** 2, 0),
      );
      const order = squares.map((_, row) => row).sort((a, b) => (squares[a] ?? 0) - (squares[b] ?? 0));
      expect([...indices.subarray(query * 2, query * 2 + 2)]).toEqual(order.slice(0, 2));
      expect(distances[query * 2]).toBeCloseTo(Math.sqrt(squares[order[0] ?? 0] ?? 0), 5);
    }
    await expect(nearest(gpu, queries, randomTensor([30, 7], 2), 2)).rejects.toThrow(/queries of 6 numbers/);
  });
});
