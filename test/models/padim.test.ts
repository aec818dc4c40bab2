import { describe, expect, it } from 'vitest';
import { TilesightError } from '../../src/engine/errors.js';
import { assumedAdapter } from '../../src/engine/adapter.js';
import type { Gpu } from '../../src/engine/gpu.js';
import { Graph } from '../../src/engine/graph.js';
import { compile } from '../../src/engine/plan.js';
import { ParameterPool, Program } from '../../src/engine/program.js';
import type { NamedTensors } from '../../src/engine/tensor.js';
import { affine } from '../../src/kernels/elementwise.js';
import { packedTriangle } from '../../src/kernels/position-chunks.js';
import type { FitJob, ModelSetting } from '../../src/models/anomaly-model.js';
import { backboneFeatures, type Backbone } from '../../src/models/backbones/backbone.js';
import { createBackbone } from '../../src/models/backbones/index.js';
import { completeOptions } from '../../src/models/definition.js';
import { createPadim, padim } from '../../src/models/padim.js';
import { permutation } from '../../src/models/padim/embedding.js';
import { planPredictor, Predictor } from '../../src/models/predictor.js';
import { testGpu } from '../gpu.js';
import { array64, build64 } from '../reference/array64.js';
import { gatherFeaturesReference } from '../reference/gather-channels.js';
import { choleskyInverseReference, distanceReference, momentsReference } from '../reference/gaussian.js';
import { gaussianBlurReference } from '../reference/gaussian-blur.js';
import { resize2dReference } from '../reference/resize2d.js';
import { memoryTiles, randomPixels, onePosition, tinyBackbone } from './tiny-backbone.js';

const tile = { height: 28, width: 20 };
const grid = { height: 7, width: 5 };
const dimensions = 11;
const images = 9;
const tileBytes = tile.height * tile.width * 3;
const pixels = randomPixels((images + 1) * tileBytes, 4);
const model = createPadim({ dimensions, sigma: 1 });

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

/** Fits with programs of its own. */
async function fit(gpu: Gpu, setting: ModelSetting, job: FitJob): Promise<NamedTensors> {
  const pool = new ParameterPool(gpu);
  try {
    const fitter = await model.createFitter(setting, { gpu, pool, profiler: undefined });
    try {
      return (await fitter.fit(job)).parameters;
    } finally {
      fitter.destroy();
    }
  } finally {
    pool.destroy();
  }
}

/** The embeddings `[N, P, d]` of tiles, from the backbone's maps on the device by the definition. */
async function embeddings(gpu: Gpu, setting: ModelSetting, tiles: Uint8Array, count: number): Promise<Float32Array> {
  const graph = new Graph('taps');
  const input = graph.input('pixels', [count, tile.height, tile.width, 3], 'u8x4');
  const taps = backboneFeatures(graph, setting.backbone, input, model.layers).map((tensor) => graph.output(tensor));
  const program = await Program.create(gpu, compile(graph, { adapter: gpu.profile }));
  const results = await program.execute(new Map([[input, tiles]]));
  program.destroy();
  const maps = taps.map((tap) => array64({ shape: tap.shape, data: results.get(tap) ?? new Float32Array() }));
  const channels = permutation(18, setting.seed).slice(0, dimensions);
  return Float32Array.from(gatherFeaturesReference(maps, { ...grid, channels }).data);
}

const positions = grid.height * grid.width;
const triangle = packedTriangle(dimensions);

async function referenceParameters(
  gpu: Gpu,
  setting: ModelSetting,
): Promise<{ mean: Float64Array; factor: Float64Array }> {
  const data = await embeddings(gpu, setting, pixels.subarray(0, images * tileBytes), images);
  const { mean, comoment } = momentsReference(data, images, positions, dimensions);
  const factor = new Float64Array(positions * triangle);
  for (let p = 0; p < positions; p++) {
    const part = comoment.subarray(p * triangle, (p + 1) * triangle);
    factor.set(choleskyInverseReference(part, dimensions, images, 0.01), p * triangle);
  }
  return { mean, factor };
}

function expectNear(actual: Float32Array | undefined, wanted: Float64Array, tolerance: number): void {
  expect(actual?.length).toBe(wanted.length);
  const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const worst = wanted.reduce((most, value, index) => Math.max(most, Math.abs((actual?.[index] ?? NaN) - value)), 0);
  expect(worst / largest).toBeLessThan(tolerance);
}

describe('PaDiM', () => {
  it('fits and predicts what the formulas say, in f64', async () => {
    const gpu = await testGpu();
    const setting = settingOf(gpu);
    const parameters = await fit(gpu, setting, jobOf());
    const reference = await referenceParameters(gpu, setting);
    expect([...model.parameterShapes(setting)]).toEqual([
      ['mean', [positions, dimensions]],
      ['factor', [positions, triangle]],
    ]);
    expectNear(parameters.get('mean')?.data, reference.mean, 1e-6);
    // The covariance's condition is some hundreds: 11 · 300 · 2⁻²⁴.
    expectNear(parameters.get('factor')?.data, reference.factor, 2e-4);

    const plan = planPredictor(model, setting);
    const predictor = await Predictor.create(gpu, plan, setting);
    const position = await predictor.load(parameters);
    // A tile that was not trained on, and one that was.
    const query = pixels.subarray((images - 1) * tileBytes, (images + 1) * tileBytes);
    await predictor.submit(0, query, [0, 0], onePosition(position));
    const { maps, scores } = await predictor.read(0, 2);
    const features = await embeddings(gpu, setting, query, 2);
    for (const index of [0, 1]) {
      const distances = build64([1, grid.height, grid.width, 1], (p) =>
        distanceReference(
          features.subarray((index * positions + p) * dimensions, (index * positions + p + 1) * dimensions),
          reference.mean.subarray(p * dimensions, (p + 1) * dimensions),
          reference.factor.subarray(p * triangle, (p + 1) * triangle),
        ),
      );
      const resized = resize2dReference(distances, { mode: 'bilinear', ...tile });
      const map = gaussianBlurReference(resized, 1).data;
      const size = tile.height * tile.width;
      expectNear(maps.subarray(index * size, (index + 1) * size), map, 2e-4);
      const peak = map.reduce((most, value) => Math.max(most, value), -Infinity);
      expect(Math.abs((scores[index] ?? NaN) - peak) / peak).toBeLessThan(2e-4);
    }
    predictor.release(position);
    predictor.destroy();
  });

  it('fits the same whatever the batch, and to the same bits with the same programs or others', async () => {
    const gpu = await testGpu();
    const pool = new ParameterPool(gpu);
    const fitter = await model.createFitter(settingOf(gpu), { gpu, pool, profiler: undefined });
    const first = await fitter.fit(jobOf());
    await fitter.fit(jobOf(3));
    const again = await fitter.fit(jobOf());
    fitter.destroy();
    pool.destroy();
    expect(again.parameters).toEqual(first.parameters);
    expect(await fit(gpu, settingOf(gpu), jobOf())).toEqual(first.parameters);
    const other = await fit(gpu, settingOf(gpu, { batch: 2 }), jobOf());
    for (const name of ['mean', 'factor']) {
      expectNear(other.get(name)?.data, Float64Array.from(first.parameters.get(name)?.data ?? []), 1e-4);
    }
  });

  it('takes the bytes that its plan says, and allocates nothing while it runs', async () => {
    const gpu = await testGpu();
    const setting = settingOf(gpu);
    const transfer = (): number => gpu.memory.byOwner.get('transfer') ?? 0;
    const before = gpu.memory.liveBytes - transfer();
    gpu.memory.resetPeak();
    const pool = new ParameterPool(gpu);
    const fitter = await model.createFitter(setting, { gpu, pool, profiler: undefined });
    const allocations: number[] = [];
    await fitter.fit(jobOf(images, { onProgress: () => allocations.push(gpu.memory.allocations) }));
    const planned = model.planFit(setting);
    expect(gpu.memory.peakBytes - transfer() - before).toBe(planned.peakBytes);
    expect(Object.values(planned.byOwner).reduce((sum, bytes) => sum + bytes, 0)).toBe(planned.peakBytes);
    expect(planned.flops).toBeGreaterThan(0);
    expect(new Set(allocations).size).toBe(1);
    fitter.destroy();
    pool.destroy();
    expect(gpu.memory.liveBytes - transfer()).toBe(before);
  });

  it('plans without weights and without a device, and does not grow with the images', () => {
    const plan = (changes: Partial<ModelSetting>) =>
      createPadim().planFit(settingOf(undefined, { backbone: createBackbone('resnet18', undefined), ...changes }));
    const large = { tile: { height: 256, width: 256 }, batch: 8 };
    const { peakBytes, byOwner } = plan(large);
    expect(byOwner['moments']).toBe(64 * 64 * (100 + 5050) * 4 + 16);
    expect(plan({ ...large, trainingImages: 100_000 }).peakBytes).toBe(peakBytes);
  });

  it('reports progress in images and stops where it is told to', async () => {
    const gpu = await testGpu();
    const progress: [number, number][] = [];
    const onProgress: FitJob['onProgress'] = ({ done, total }) => progress.push([done, total]);
    await fit(gpu, settingOf(gpu), jobOf(images, { onProgress }));
    expect(progress).toEqual([
      [4, 9],
      [8, 9],
      [9, 9],
    ]);
    const signal = AbortSignal.abort(new TilesightError('cancelled', 'stopped'));
    await expect(fit(gpu, settingOf(gpu), jobOf(images, { signal }))).rejects.toThrow('stopped');
    await expect(fit(gpu, settingOf(gpu), jobOf(0))).rejects.toThrow(/no training image/);
  });

  it('names the image whose features are not finite', async () => {
    const tiny = tinyBackbone();
    // Grey 118 is near the preprocessing's mean, 255 more than two deviations above it: 10⁴ times that leaves the
    // 32-bit floats when the features are multiplied by 10³⁵.
    const overflowing: Backbone = {
      ...tiny,
      build: (graph, image, wanted) =>
        tiny.build(graph, affine(graph, image, 1e4, 0), wanted).map((map) => affine(graph, map, 1e35, 0)),
    };
    const tiles = new Uint8Array(6 * tileBytes).fill(118);
    tiles.fill(255, 5 * tileBytes);
    const gpu = await testGpu();
    const job = jobOf(6, { tiles: memoryTiles(tiles, 6) });
    const failure = fit(gpu, settingOf(gpu, { backbone: overflowing }), job);
    await expect(failure).rejects.toThrow(/^image 5: \d+ features are not finite/);
  });

  it('takes a seeded choice of channels, the same for every position', () => {
    expect(permutation(448, 1)).toEqual(permutation(448, 1));
    expect(permutation(448, 1)).not.toEqual(permutation(448, 2));
    expect([...permutation(448, 7)].sort((a, b) => a - b)).toEqual(Array.from({ length: 448 }, (_, i) => i));
    // A seed's choice is part of what a run's files mean.
    expect(permutation(448, 42).slice(0, 6)).toEqual([389, 118, 304, 119, 155, 315]);
  });

  it('takes 100 channels by default, 550 of the large networks, and refuses more than there are', () => {
    const shape = (name: 'resnet18' | 'resnet50' | 'mobilenet-v2', given: Record<string, unknown> = {}) =>
      padim
        .create(completeOptions(padim, given))
        .parameterShapes(settingOf(undefined, { backbone: createBackbone(name, undefined) }))
        .get('mean')?.[1];
    expect(shape('resnet18')).toBe(100);
    expect(shape('resnet50')).toBe(550);
    expect(shape('mobilenet-v2')).toBe(100);
    expect(shape('resnet18', { dimensions: '37' })).toBe(37);
    expect(() => shape('resnet18', { dimensions: 449 })).toThrow(/have 448 channels together, give at most 448/);
  });
});
