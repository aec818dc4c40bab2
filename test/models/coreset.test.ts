import { describe, expect, it } from 'vitest';
import { assumedAdapter } from '../../src/engine/adapter.js';
import type { NamedTensors } from '../../src/engine/tensor.js';
import type { CheckpointStore } from '../../src/models/anomaly-model.js';
import { CoresetBuilder, type Coreset, type CoresetWatch } from '../../src/models/coreset/builder.js';
import { readCheckpoint, writeCheckpoint } from '../../src/models/coreset/checkpoint.js';
import { farthest } from '../../src/models/coreset/farthest.js';
import { planCoreset } from '../../src/models/coreset/plan.js';
import { coresetProjection, projectionSize, sparseProjection } from '../../src/models/coreset/projection.js';
import { testGpu } from '../gpu.js';
import { randomTensor } from '../kernels/harness.js';

const quiet: CoresetWatch = { signal: undefined, onProgress: undefined, checkpoint: undefined };

describe('farthest', () => {
  it('gives the largest distances of what is not taken, of equals the lowest rows', () => {
    for (let seed = 0; seed < 30; seed++) {
      const distances = randomTensor([200], seed).data.map((value) => Math.abs(Math.round(value * 2 ** (seed % 12))));
      const taken = Uint8Array.from(distances, (_, row) => ((row * (seed + 3)) % 7 === 0 ? 1 : 0));
      const left = Array.from(distances.keys()).filter((row) => taken[row] === 0);
      for (const most of [1, 5, 60, 171, 500]) {
        const wanted = [...left]
          .sort((a, b) => (distances[b] ?? 0) - (distances[a] ?? 0) || a - b)
          .slice(0, most)
          .sort((a, b) => a - b);
        const { rows, least } = farthest(distances, taken, most);
        expect([...rows]).toEqual(wanted);
        const inside = new Set(wanted);
        const outside = left.filter((row) => !inside.has(row)).map((row) => distances[row] ?? 0);
        expect(least).toBeGreaterThanOrEqual(Math.max(0, ...outside));
        expect(least).toBeLessThanOrEqual(Math.max(0, ...wanted.map((row) => distances[row] ?? 0)));
      }
    }
  });
});

describe('sparse projection', () => {
  it('has the size of the Johnson–Lindenstrauss bound and is dropped where it would be no smaller', () => {
    expect(projectionSize(214_016)).toBe(303);
    expect(projectionSize(856_064)).toBe(337);
    const kept = coresetProjection(214_016, 128, 0);
    expect([kept.size, kept.scale, ...kept.entries.subarray(0, 3)]).toEqual([128, 1, 0, 2, 4]);
    expect(coresetProjection(214_016, 384, 0).size).toBe(304);
  });

  it('keeps squared lengths on average, with the stated density', () => {
    const { starts, entries, scale } = sparseProjection(400, 300, 5);
    const perRow = entries.length / 300;
    expect(perRow).toBeGreaterThan(18);
    expect(perRow).toBeLessThan(22);
    const vector = randomTensor([400], 9).data;
    let length = 0;
    for (let row = 0; row < 300; row++) {
      let sum = 0;
      for (let i = starts[row] ?? 0; i < (starts[row + 1] ?? 0); i++) {
        const entry = entries[i] ?? 0;
        sum += (vector[entry >> 1] ?? 0) * ((entry & 1) === 1 ? -1 : 1);
      }
      length += (sum * scale) ** 2;
    }
    const own = vector.reduce((sum, value) => sum + value * value, 0);
    expect(length / own).toBeGreaterThan(0.75);
    expect(length / own).toBeLessThan(1.25);
    expect(sparseProjection(400, 300, 5)).toEqual({ size: 300, starts, entries, scale });
  });
});

describe('plan of a coreset', () => {
  const setting = { rows: 214_016, elements: 384, wanted: 21_401, seed: 1, adapter: assumedAdapter };

  it('is exact without a budget, streaming within one, and never larger than it', () => {
    const exact = planCoreset({ ...setting, budgetBytes: Infinity });
    expect([exact.kind, exact.wanted, exact.block]).toEqual(['exact', 21_401, 0]);
    const streaming = planCoreset({ ...setting, budgetBytes: exact.bytes / 4 });
    expect([streaming.kind, streaming.wanted]).toEqual(['streaming', 21_401]);
    expect(streaming.bytes).toBeLessThanOrEqual(exact.bytes / 4);
    expect(streaming.bytes).toBeGreaterThan(exact.bytes / 4.2);
    const budgetBytes = 50e6;
    for (const rows of [1e5, 1e6, 1e7]) {
      const plan = planCoreset({ ...setting, rows, wanted: rows / 10, budgetBytes });
      expect(plan.bytes).toBeLessThanOrEqual(budgetBytes);
    }
  });
});

describe('coreset builder', () => {
  it('takes the same points in rounds and plainly', async () => {
    const gpu = await testGpu();
    const vectors = randomTensor([3000, 24], 9);
    const choose = async (kind: 'hardware' | 'lavapipe'): Promise<Coreset> => {
      const adapter = { ...gpu.profile, class: kind };
      const setting = { rows: 3000, elements: 24, wanted: 500, seed: 3, adapter, budgetBytes: Infinity };
      const builder = await CoresetBuilder.create(gpu, planCoreset(setting));
      try {
        await builder.appendHost(vectors.data, quiet);
        return await builder.finish(quiet);
      } finally {
        builder.destroy();
      }
    };
    expect(await choose('hardware')).toEqual(await choose('lavapipe'));
  });

  it.each(['hardware', 'lavapipe'] as const)('goes on from a checkpoint to the same bytes (%s)', async (kind) => {
    const gpu = await testGpu();
    const vectors = randomTensor([1100, 24], 3);
    const adapter = { ...gpu.profile, class: kind };
    const plan = planCoreset({ rows: 1100, elements: 24, wanted: 700, seed: 3, adapter, budgetBytes: Infinity });
    const choose = async (watch: CoresetWatch): Promise<Coreset> => {
      const builder = await CoresetBuilder.create(gpu, plan);
      try {
        await builder.appendHost(vectors.data, watch);
        return await builder.finish(watch);
      } finally {
        builder.destroy();
      }
    };
    const whole = await choose(quiet);
    let kept: NamedTensors | undefined;
    const checkpoint: CheckpointStore = {
      load: () => Promise.resolve(kept),
      save: (tensors) => {
        kept = tensors;
        return Promise.resolve();
      },
    };
    const controller = new AbortController();
    let first = 0;
    const onProgress: CoresetWatch['onProgress'] = ({ done }) => {
      first = done;
      if (done > 200) controller.abort();
    };
    await expect(choose({ signal: controller.signal, onProgress, checkpoint })).rejects.toThrow(/abort/i);
    expect(kept?.get('coreset.picks')?.shape[0]).toBe(first);
    const steps: number[] = [];
    const resumed = await choose({ signal: undefined, onProgress: ({ done }) => steps.push(done), checkpoint });
    expect(steps[0]).toBeGreaterThan(first);
    expect(resumed).toEqual(whole);
    // Of another selection: begins anew.
    kept = writeCheckpoint(Uint32Array.of(5), new Float32Array(1100), [1100, 699, 5, 24, 24]);
    expect(await choose({ ...quiet, checkpoint })).toEqual(whole);
  });

  it('chooses the same whatever the device binds at once', async () => {
    const gpu = await testGpu();
    const vectors = randomTensor([1500, 64], 8);
    const choose = async (limit: number): Promise<Coreset> => {
      const limits = { ...gpu.profile.limits, maxStorageBufferBindingSize: limit };
      const adapter = { ...gpu.profile, limits };
      const plan = planCoreset({ rows: 1500, elements: 64, wanted: 150, seed: 3, adapter, budgetBytes: Infinity });
      const builder = await CoresetBuilder.create(gpu, plan);
      await builder.appendHost(vectors.data, quiet);
      const chosen = await builder.finish(quiet);
      builder.destroy();
      return chosen;
    };
    const whole = await choose(2 ** 27);
    expect(await choose(2 ** 17)).toEqual(whole);
    expect(await choose(2 ** 16)).toEqual(whole);
  });
});

describe('checkpoint of a selection', () => {
  it('keeps row numbers beyond what a float holds', () => {
    const agreement = [40_000_000, 2, 1, 8, 8];
    const minimum = { length: 40_000_000 };
    const picks = Uint32Array.of(39_999_999, 16_777_217);
    const stored = new Map(writeCheckpoint(picks, new Float32Array(1), agreement));
    stored.set('coreset.minimum', { shape: [1], data: minimum as unknown as Float32Array });
    expect(readCheckpoint(stored, agreement)?.picks).toEqual(picks);
    expect(readCheckpoint(stored, [40_000_000, 3, 1, 8, 8])).toBeUndefined();
    expect(readCheckpoint(undefined, agreement)).toBeUndefined();
  });
});
