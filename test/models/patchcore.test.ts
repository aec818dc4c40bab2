import { describe, expect, it } from 'vitest';
import { assumedAdapter } from '../../src/engine/adapter.js';
import { TilesightError } from '../../src/engine/errors.js';
import type { Gpu } from '../../src/engine/gpu.js';
import { Graph } from '../../src/engine/graph.js';
import { compile } from '../../src/engine/plan.js';
import { ParameterPool, Program } from '../../src/engine/program.js';
import { affine } from '../../src/kernels/elementwise.js';
import type { FitJob, FittedPosition, ModelSetting } from '../../src/models/anomaly-model.js';
import { backboneFeatures, type Backbone } from '../../src/models/backbones/backbone.js';
import { createBackbone } from '../../src/models/backbones/index.js';
import { completeOptions } from '../../src/models/definition.js';
import { createPatchcore, patchcore } from '../../src/models/patchcore.js';
import { planPredictor, Predictor } from '../../src/models/predictor.js';
import { testGpu } from '../gpu.js';
import { array64, build64 } from '../reference/array64.js';
import { concatReference } from '../reference/concat.js';
import { gaussianBlurReference } from '../reference/gaussian-blur.js';
import { kCentreReference } from '../reference/k-centre.js';
import { pool2dReference } from '../reference/pool2d.js';
import { resize2dReference } from '../reference/resize2d.js';
import { memoryTiles, randomPixels, onePosition, tinyBackbone } from './tiny-backbone.js';

const tile = { height: 56, width: 40 };
const grid = { height: 7, width: 5 };
const elements = 12;
const images = 9;
const patches = grid.height * grid.width;
const tileBytes = tile.height * tile.width * 3;
const pixels = randomPixels((images + 1) * tileBytes, 4);

function settingOf(gpu: Gpu | undefined, changes: Partial<ModelSetting> = {}): ModelSetting {
  return {
    backbone: tinyBackbone(),
    tile,
    batch: 4,
    seed: 42,
    adapter: gpu?.profile ?? assumedAdapter,
    budgetBytes: Infinity,
    trainingImages: images,
    ...changes,
  };
}

function jobOf(count = images, changes: Partial<FitJob> = {}): FitJob {
  return {
    tiles: memoryTiles(pixels.subarray(0, count * tileBytes), count),
    heldOut: undefined,
    signal: undefined,
    onProgress: undefined,
    checkpoint: undefined,
    ...changes,
  };
}

async function fit(
  gpu: Gpu,
  setting: ModelSetting,
  job: FitJob,
  model = createPatchcore({ coresetRatio: 0.2 }),
): Promise<FittedPosition> {
  const pool = new ParameterPool(gpu);
  try {
    const fitter = await model.createFitter(setting, { gpu, pool, profiler: undefined });
    try {
      return await fitter.fit(job);
    } finally {
      fitter.destroy();
    }
  } finally {
    pool.destroy();
  }
}

/** Patch features `[count · patches, elements]` in f64, from the backbone's maps on the device by the definition. */
async function features(gpu: Gpu, tiles: Uint8Array, count: number): Promise<Float32Array> {
  const graph = new Graph('taps');
  const input = graph.input('pixels', [count, tile.height, tile.width, 3], 'u8x4');
  const taps = backboneFeatures(graph, tinyBackbone(), input, ['layer2', 'layer3']).map((tap) => graph.output(tap));
  const program = await Program.create(gpu, compile(graph, { adapter: gpu.profile }));
  const results = await program.execute(new Map([[input, tiles]]));
  program.destroy();
  const maps = taps.map((tap) =>
    pool2dReference(array64({ shape: tap.shape, data: results.get(tap) ?? new Float32Array() }), {
      mode: 'average',
      kernel: 3,
      stride: 1,
      padding: 1,
    }),
  );
  const resized = maps.map((map, index) => (index === 0 ? map : resize2dReference(map, { mode: 'bilinear', ...grid })));
  return Float32Array.from(concatReference(resized, 3).data);
}

const distance = (a: Float32Array, i: number, b: Float32Array, j: number): number => {
  let sum = 0;
  for (let k = 0; k < elements; k++) sum += ((a[i * elements + k] ?? 0) - (b[j * elements + k] ?? 0)) ** 2;
  return Math.sqrt(sum);
};

/** Distance to the nearest bank row of every patch, and PatchCore's score of the image, in f64. */
function scoreReference(query: Float32Array, bank: Float32Array, neighbours: number): { map: number[]; score: number } {
  const rows = Array.from({ length: bank.length / elements }, (_, row) => row);
  const nearest = (from: Float32Array, index: number, count: number): number[] =>
    [...rows].sort((a, b) => distance(from, index, bank, a) - distance(from, index, bank, b) || a - b).slice(0, count);
  const map = Array.from({ length: patches }, (_, p) => distance(query, p, bank, nearest(query, p, 1)[0] ?? 0));
  const farthest = map.indexOf(Math.max(...map));
  const own = nearest(query, farthest, 1)[0] ?? 0;
  const support = nearest(bank, own, neighbours).map((row) => Math.exp(distance(query, farthest, bank, row)));
  const weight = 1 - (support[0] ?? 0) / support.reduce((sum, value) => sum + value, 0);
  return { map, score: neighbours > 1 ? weight * (map[farthest] ?? 0) : (map[farthest] ?? 0) };
}

function expectNear(actual: ArrayLike<number>, wanted: ArrayLike<number>, tolerance: number): void {
  expect(actual.length).toBe(wanted.length);
  let worst = 0;
  let largest = 0;
  for (let i = 0; i < wanted.length; i++) {
    worst = Math.max(worst, Math.abs((actual[i] ?? NaN) - (wanted[i] ?? 0)));
    largest = Math.max(largest, Math.abs(wanted[i] ?? 0));
  }
  expect(worst / largest).toBeLessThan(tolerance);
}

describe('PatchCore', () => {
  it('fills its bank with a greedy k-centre of the patches', async () => {
    const gpu = await testGpu();
    const setting = settingOf(gpu);
    const { parameters, notes } = await fit(gpu, setting, jobOf());
    const bank = parameters.get('bank');
    expect(bank?.shape).toEqual([63, elements]);
    expect([...createPatchcore({ coresetRatio: 0.2 }).parameterShapes(setting)]).toEqual([['bank', [63, elements]]]);
    expect(notes).toEqual(['exact coreset']);
    const all = await features(gpu, pixels.subarray(0, images * tileBytes), images);
    // Which patches were taken: those that the rows are nearest to.
    const picks = Array.from({ length: 63 }, (_, row) => {
      let best = 0;
      for (let p = 1; p < images * patches; p++) {
        if (distance(bank?.data ?? all, row, all, p) < distance(bank?.data ?? all, row, all, best)) best = p;
      }
      return best;
    });
    const reference = kCentreReference(all, elements, 63, picks[0] ?? 0);
    const tie = reference.leads.findIndex((lead) => lead < 1e-5);
    expect(picks.slice(0, tie < 0 ? 63 : tie)).toEqual(reference.picks.slice(0, tie < 0 ? 63 : tie));
    expect(tie < 0 ? 63 : tie).toBeGreaterThan(20);
  });

  it('predicts the map and the reweighted score of the formulas, in f64', async () => {
    const gpu = await testGpu();
    const setting = settingOf(gpu);
    const query = pixels.subarray((images - 1) * tileBytes, (images + 1) * tileBytes);
    const asked = await features(gpu, query, 2);
    for (const { neighbours, f16 } of [
      { neighbours: 9, f16: false },
      { neighbours: 1, f16: false },
      { neighbours: 4, f16: true },
    ]) {
      const model = createPatchcore({ coresetRatio: 0.2, sigma: 1, neighbours, f16 });
      const { parameters } = await fit(gpu, setting, jobOf(), model);
      const bank = parameters.get('bank')?.data ?? new Float32Array();
      const plan = planPredictor(model, setting);
      expect(plan.positionBytes).toBe(Math.ceil((bank.length * (f16 ? 2 : 4)) / 16) * 16);
      const predictor = await Predictor.create(gpu, plan, setting);
      const position = await predictor.load(parameters);
      await predictor.submit(0, query, [0, 0], onePosition(position));
      const { maps, scores } = await predictor.read(0, 2);
      for (const index of [0, 1]) {
        const one = asked.subarray(index * patches * elements, (index + 1) * patches * elements);
        const { map, score } = scoreReference(one, bank, neighbours);
        const cells = build64([1, grid.height, grid.width, 1], (p) => map[p] ?? 0);
        const wanted = gaussianBlurReference(resize2dReference(cells, { mode: 'nearest', ...tile }), 1).data;
        const size = tile.height * tile.width;
        const tolerance = f16 ? 2e-3 : 1e-5;
        expectNear(maps.subarray(index * size, (index + 1) * size), wanted, tolerance);
        expectNear([scores[index] ?? NaN], [score], tolerance);
      }
      predictor.release(position);
      predictor.destroy();
    }
  });

  it('fits to the same bits with the same programs or others', async () => {
    const gpu = await testGpu();
    const pool = new ParameterPool(gpu);
    const model = createPatchcore({ coresetRatio: 0.2 });
    const fitter = await model.createFitter(settingOf(gpu), { gpu, pool, profiler: undefined });
    const first = await fitter.fit(jobOf());
    expect((await fitter.fit(jobOf(3))).parameters.get('bank')?.shape).toEqual([21, elements]);
    const again = await fitter.fit(jobOf());
    fitter.destroy();
    pool.destroy();
    expect(again).toEqual(first);
    expect(await fit(gpu, settingOf(gpu), jobOf())).toEqual(first);
  });

  it('takes the bytes that its plan says, exact and streaming', async () => {
    const gpu = await testGpu();
    const model = createPatchcore({ coresetRatio: 0.05 });
    const many = 60;
    const repeated = randomPixels(many * tileBytes, 11);
    const transfer = (): number => gpu.memory.byOwner.get('transfer') ?? 0;
    const exact = model.planFit(settingOf(gpu, { trainingImages: many }));
    for (const budgetBytes of [Infinity, exact.peakBytes * 0.75]) {
      const setting = settingOf(gpu, { trainingImages: many, budgetBytes });
      const before = gpu.memory.liveBytes - transfer();
      gpu.memory.resetPeak();
      const planned = model.planFit(setting);
      const job = jobOf(many, { tiles: memoryTiles(repeated, many) });
      const { parameters, notes } = await fit(gpu, setting, job, model);
      expect(gpu.memory.peakBytes - transfer() - before).toBe(planned.peakBytes);
      expect(planned.peakBytes).toBeLessThanOrEqual(budgetBytes);
      expect(Object.values(planned.byOwner).reduce((sum, bytes) => sum + bytes, 0)).toBe(planned.peakBytes);
      expect(planned.notes[0]).toMatch(/^bank will take 4.92 KiB \(105 vectors of 12 numbers\), budget is/);
      expect(notes?.[0]).toMatch(budgetBytes === Infinity ? /^exact coreset$/ : /^streaming coreset: \d+ blocks/);
      expect(parameters.get('bank')?.shape).toEqual([105, elements]);
      expect([...model.parameterShapes(setting)]).toEqual([['bank', [105, elements]]]);
      expect(gpu.memory.liveBytes - transfer()).toBe(before);
    }
  });

  it('plans without weights and without a device, within any budget that holds the backbone', () => {
    const plan = (changes: Partial<ModelSetting>) =>
      createPatchcore().planFit(
        settingOf(undefined, {
          backbone: createBackbone('resnet18', undefined),
          tile: { height: 256, width: 256 },
          trainingImages: 209,
          ...changes,
        }),
      );
    const exact = plan({});
    expect(exact.notes).toEqual([
      'bank will take 31.3 MiB (21401 vectors of 384 numbers), budget is without bound',
      'exact coreset',
    ]);
    const budgetBytes = exact.peakBytes / 4;
    const quarter = plan({ budgetBytes });
    expect(quarter.peakBytes).toBeLessThanOrEqual(budgetBytes);
    expect(quarter.notes.join()).toMatch(/21401 vectors.*streaming coreset/);
    expect(plan({ budgetBytes, trainingImages: 2090 }).peakBytes).toBeLessThanOrEqual(budgetBytes);
  });

  it('names the image whose features are not finite, and stops where it is told to', async () => {
    const tiny = tinyBackbone();
    const overflowing: Backbone = {
      ...tiny,
      build: (graph, image, wanted) =>
        tiny.build(graph, affine(graph, image, 1e4, 0), wanted).map((map) => affine(graph, map, 6e33, 0)),
    };
    const tiles = new Uint8Array(6 * tileBytes).fill(118);
    tiles.fill(255, 5 * tileBytes);
    const gpu = await testGpu();
    const job = jobOf(6, { tiles: memoryTiles(tiles, 6) });
    const failure = fit(gpu, settingOf(gpu, { backbone: overflowing, trainingImages: 6 }), job);
    await expect(failure).rejects.toThrow(/^image 5: \d+ features are not finite/);
    const signal = AbortSignal.abort(new TilesightError('cancelled', 'stopped'));
    await expect(fit(gpu, settingOf(gpu), jobOf(images, { signal }))).rejects.toThrow('stopped');
    await expect(fit(gpu, settingOf(gpu), jobOf(0))).rejects.toThrow(/no training image/);
    const small = settingOf(gpu, { budgetBytes: 200_000 });
    await expect(fit(gpu, small, jobOf())).rejects.toThrow(/are left of the budget/);
  });

  it('has the options of the method', () => {
    const options = completeOptions(patchcore, { coreset: '0.5', f16: 'true' });
    expect(options).toEqual({ coreset: 0.5, neighbours: 9, f16: true, sigma: 4 });
    expect(() => completeOptions(patchcore, { neighbours: 17 })).toThrow(/at most 16/);
    expect(patchcore.create(options).parameterShapes(settingOf(undefined)).get('bank')).toEqual([157, elements]);
  });
});
