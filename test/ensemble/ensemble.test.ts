import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { transferWindowBytes, type Gpu } from '../../src/engine/gpu.js';
import { ParameterPool } from '../../src/engine/program.js';
import { TiledEnsemble, type Prediction } from '../../src/ensemble/ensemble.js';
import { evaluateEnsemble } from '../../src/ensemble/evaluate.js';
import { Run } from '../../src/ensemble/run.js';
import { cutTile, tileGrid } from '../../src/ensemble/tiling.js';
import { planPredictor, Predictor } from '../../src/models/predictor.js';
import { testGpu } from '../gpu.js';
import { memoryTiles, onePosition, tinyBackbone } from '../models/tiny-backbone.js';
import {
  configurationOf,
  drawImage,
  drawingReader,
  imageSize,
  memoryStorage,
  planOf,
  testSamples,
  tinyModel,
  trainSamples,
  trainTiny,
} from './support.js';
import { smoothedSeams } from '../reference/ensemble.js';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await testGpu();
});

const single = configurationOf(imageSize);
const fourTiles = configurationOf({ height: 48, width: 40 });
const overlapping = configurationOf({ height: 48, width: 40 }, { height: 24, width: 20 });
const odd = configurationOf({ height: 37, width: 33 }, { height: 29, width: 21 });

/** Fits and predicts one crop with the model alone, without any ensemble. */
async function fitAndPredict(crops: Uint8Array, query: Uint8Array, configuration = fourTiles): Promise<Float32Array> {
  const { setting } = planOf(gpu, configuration);
  const model = tinyModel();
  const pool = new ParameterPool(gpu);
  const fitter = await model.createFitter(setting, { gpu, pool, profiler: undefined });
  const { parameters } = await fitter.fit({
    tiles: memoryTiles(crops, trainSamples.length),
    heldOut: undefined,
    signal: undefined,
    onProgress: undefined,
    checkpoint: undefined,
  });
  fitter.destroy();
  const one = { ...setting, batch: 1 };
  const predictor = await Predictor.create(gpu, planPredictor(model, one), one, { pool });
  const position = await predictor.load(parameters);
  await predictor.submit(0, query, [0], onePosition(position));
  const { maps } = await predictor.read(0, 1);
  predictor.release(position);
  predictor.destroy();
  pool.destroy();
  return maps;
}

describe('tiled ensemble', () => {
  it('of one tile equals the single model byte for byte', async () => {
    const { ensemble } = await trainTiny(gpu, memoryStorage(), { ...single, normalization: 'none' });
    const query = drawImage('blob:7');
    const { map } = await ensemble.predict(query);
    ensemble.destroy();
    const crops = Uint8Array.from(trainSamples.flatMap((sample) => [...drawImage(sample.path).data]));
    expect(map.data).toEqual(await fitAndPredict(crops, query.data, single));
  });

  it('of four tiles equals four models on the four crops', async () => {
    const { ensemble } = await trainTiny(gpu, memoryStorage(), {
      ...fourTiles,
      normalization: 'none',
      seams: { apply: false, sigma: 1, width: 0 },
    });
    const query = drawImage('blob:7');
    const { map } = await ensemble.predict(query);
    const { grid } = ensemble;
    ensemble.destroy();
    const position = 3;
    const crops = trainSamples.map((sample) => cutTile(drawImage(sample.path), grid, position));
    const all = Uint8Array.from(crops.flatMap((crop) => [...crop]));
    const alone = await fitAndPredict(all, cutTile(query, grid, position));
    const { tile } = grid;
    const fromMap = Float32Array.from({ length: tile.height * tile.width }, (_, i) => {
      const row = tile.height + Math.floor(i / tile.width);
      return map.data[row * map.width + tile.width + (i % tile.width)] ?? NaN;
    });
    expect(fromMap).toEqual(alone);
  });

  it('writes the same bytes again, and after an interruption at any position', async () => {
    const whole = memoryStorage();
    (await trainTiny(gpu, whole, fourTiles)).ensemble.destroy();
    for (const stopAfter of [0, 2]) {
      const storage = memoryStorage();
      const controller = new AbortController();
      const onFit = ({ position, done, total }: { position: number; done: number; total: number }): void => {
        if (position === stopAfter && done >= total / 2) controller.abort(new Error('killed'));
      };
      await expect(trainTiny(gpu, storage, fourTiles, { signal: controller.signal, onFit })).rejects.toThrow('killed');
      expect(storage.files.has('stats.json')).toBe(false);
      const { ensemble, report } = await trainTiny(gpu, storage, fourTiles);
      ensemble.destroy();
      expect(report.resumed).toBe(stopAfter);
      expect([...storage.files.keys()].sort()).toEqual([...whole.files.keys()].sort());
      for (const [name, bytes] of whole.files) expect(storage.files.get(name), name).toEqual(bytes);
    }
  });

  it('predicts the same whether parameters stay or stream, one image or many', async () => {
    const storage = memoryStorage();
    const { ensemble } = await trainTiny(gpu, storage, odd);
    const inputs = testSamples.map((sample) => ({
      name: sample.name,
      read: () => Promise.resolve(drawImage(sample.path)),
    }));
    const collect = async (from: TiledEnsemble): Promise<Prediction[]> => {
      const all: Prediction[] = [];
      for await (const prediction of from.predictMany(inputs)) all.push(prediction);
      return all;
    };
    const streamed = await collect(ensemble);
    ensemble.destroy();
    const resident = await TiledEnsemble.load({
      gpu,
      run: await Run.open(storage),
      model: tinyModel(),
      backbone: tinyBackbone(),
      resident: 'always',
    });
    const kept = await collect(resident);
    expect(streamed.map((prediction) => prediction.name)).toEqual(testSamples.map((sample) => sample.name));
    kept.forEach((prediction, index) => {
      expect(prediction.map.data).toEqual(streamed[index]?.map.data);
      expect(prediction.score).toBe(streamed[index]?.score);
    });
    const alone = await resident.predict(drawImage('blob:301'));
    expect(alone.map.data).toEqual(kept[5]?.map.data);
    resident.destroy();
  });

  it('fills its batches where parameters stream, and uploads a position once for all images', async () => {
    const storage = memoryStorage();
    const { ensemble } = await trainTiny(gpu, storage, fourTiles);
    expect(ensemble.residentPositions).toBe(1);
    const { predictor } = ensemble;
    const sizes: number[] = [];
    let uploads = 0;
    const submit = predictor.submit.bind(predictor);
    predictor.submit = (slot, pixels, positions, source) => {
      sizes.push(positions.length);
      return submit(slot, pixels, positions, source);
    };
    const replace = predictor.replace.bind(predictor);
    predictor.replace = (...given) => {
      uploads += 1;
      return replace(...given);
    };
    const inputs = Array.from({ length: 7 }, (_, index) => ({
      name: String(index),
      // Slower than a group waits for another image: only a source that has none at hand cuts a group short.
      read: () => delay(80, drawImage(`good:${index}`)),
    }));
    let count = 0;
    for await (const { index } of ensemble.predictMany(inputs)) expect(index).toBe(count++);
    // 28 tiles in batches of 3.
    expect(sizes).toEqual([...Array<number>(9).fill(3), 1]);
    expect(uploads).toBeLessThanOrEqual(4);
    ensemble.destroy();
  });

  it('keeps what fits a budget on the device, and refuses all positions where they do not fit', async () => {
    const storage = memoryStorage();
    const { ensemble } = await trainTiny(gpu, storage, fourTiles);
    const { positionBytes } = ensemble.predictor.plan;
    const { plannedBytes } = ensemble;
    const image = drawImage('blob:7');
    const wanted = await ensemble.predict(image);
    ensemble.destroy();
    const load = async (budgetBytes: number, resident: 'auto' | 'always' | 'never'): Promise<TiledEnsemble> =>
      TiledEnsemble.load({
        gpu,
        run: await Run.open(storage),
        model: tinyModel(),
        backbone: tinyBackbone(),
        budgetBytes,
        resident,
      });
    for (const [budgetBytes, resident, positions] of [
      [Infinity, 'auto', 4],
      [Infinity, 'never', 1],
      // A budget also leaves room for the window through which fitted parameters come down.
      [plannedBytes + transferWindowBytes + 2 * positionBytes, 'auto', 3],
      [plannedBytes + transferWindowBytes, 'auto', 1],
    ] as const) {
      const loaded = await load(budgetBytes, resident);
      expect(loaded.residentPositions).toBe(positions);
      expect(loaded.plannedBytes).toBe(plannedBytes + (positions - 1) * positionBytes);
      let uploads = 0;
      const replace = loaded.predictor.replace.bind(loaded.predictor);
      loaded.predictor.replace = (...given) => {
        uploads += 1;
        return replace(...given);
      };
      expect((await loaded.predict(image)).rawMap.data).toEqual(wanted.rawMap.data);
      expect(uploads).toBe(4);
      await loaded.predict(image);
      // All but one place keep what they hold.
      expect(uploads - 4).toBeLessThanOrEqual(positions === 4 ? 0 : 4 - (positions - 1));
      loaded.destroy();
    }
    await expect(load(plannedBytes + positionBytes, 'always')).rejects.toThrow(
      /all 4 positions on the device need .*, the budget is .*: give more memory/,
    );
  });

  it('gives all results before an image that cannot be read, and none late where the source waits', async () => {
    const { ensemble } = await trainTiny(gpu, memoryStorage(), fourTiles);
    const inputs = Array.from({ length: 6 }, (_, index) => ({
      name: String(index),
      read: () => (index === 4 ? Promise.reject(new Error('it vanished')) : Promise.resolve(drawImage('good:500'))),
    }));
    const seen: number[] = [];
    const all = async (): Promise<void> => {
      for await (const { index } of ensemble.predictMany(inputs)) seen.push(index);
    };
    await expect(all()).rejects.toThrow('it vanished');
    expect(seen).toEqual([0, 1, 2, 3]);

    // The source gives its second image only after the first one's result.
    let release: () => void = () => undefined;
    const taken = new Promise<void>((resolve) => (release = resolve));
    async function* slow(): AsyncGenerator<(typeof inputs)[number]> {
      const [first, second] = inputs;
      if (first) yield first;
      await taken;
      if (second) yield second;
    }
    const names: string[] = [];
    for await (const { name } of ensemble.predictMany(slow())) {
      names.push(name);
      release();
    }
    expect(names).toEqual(['0', '1']);
    ensemble.destroy();
  });

  it('takes the device memory of one tile, whatever the grid, exactly as planned', async () => {
    const peaks: number[] = [];
    for (const configuration of [fourTiles, overlapping]) {
      const storage = memoryStorage();
      const plan = planOf(gpu, configuration);
      gpu.memory.resetPeak();
      const base = gpu.memory.liveBytes - (gpu.memory.byOwner.get('transfer') ?? 0);
      const { ensemble } = await trainTiny(gpu, storage, configuration);
      await ensemble.predict(drawImage('blob:7'));
      ensemble.destroy();
      peaks.push(gpu.memory.peakBytes - base);
      expect(gpu.memory.peakBytes - base).toBe(plan.plannedBytes);
    }
    expect(peaks[0]).toBe(peaks[1]);
  });

  it('leaves nothing on the device', async () => {
    const before = gpu.memory.liveBytes;
    (await trainTiny(gpu, memoryStorage(), fourTiles)).ensemble.destroy();
    const first = gpu.memory.liveBytes;
    (await trainTiny(gpu, memoryStorage(), fourTiles)).ensemble.destroy();
    expect(gpu.memory.liveBytes).toBe(first);
    expect(first - before).toBeLessThanOrEqual(gpu.memory.byOwner.get('transfer') ?? 0);
  });

  it('finds the defects of the synthetic boards', async () => {
    const { ensemble } = await trainTiny(gpu, memoryStorage(), overlapping);
    const evaluation = await evaluateEnsemble(ensemble, testSamples, drawingReader);
    ensemble.destroy();
    expect(evaluation.good).toBe(4);
    expect(evaluation.anomalous).toBe(4);
    // A backbone of three random convolutions sees no more than that something is there.
    expect(evaluation.metrics.pixelAUROC).toBeGreaterThan(0.8);
    expect(evaluation.imageAUROC.maximum).toBeGreaterThan(0.8);
  });

  it('shares one model over all positions', async () => {
    const storage = memoryStorage();
    const { ensemble } = await trainTiny(gpu, storage, { ...fourTiles, shared: true });
    const { map } = await ensemble.predict(drawImage('good:500'));
    ensemble.destroy();
    expect(map.data.every(Number.isFinite)).toBe(true);
    expect([...storage.files.keys()].filter((name) => name.startsWith('tiles/'))).toEqual(['tiles/shared.safetensors']);
  });
});

describe('stages', () => {
  it('smooths along seams and normalises after merging', async () => {
    const storage = memoryStorage();
    const { ensemble } = await trainTiny(gpu, storage, fourTiles);
    const { map, rawMap } = await ensemble.predict(drawImage('blob:7'));
    ensemble.destroy();
    expect(map.data.every((value) => value >= 0 && value <= 1)).toBe(true);
    const bare = await trainTiny(gpu, memoryStorage(), { ...fourTiles, seams: { apply: false, sigma: 1, width: 0 } });
    const unsmoothed = await bare.ensemble.predict(drawImage('blob:7'));
    bare.ensemble.destroy();
    const grid = tileGrid({ image: imageSize, tile: fourTiles.tileSize, stride: fourTiles.stride });
    const expected = smoothedSeams(unsmoothed.rawMap, grid, fourTiles.seams);
    rawMap.data.forEach((value, pixel) => {
      expect(Math.abs(value - (expected[pixel] ?? NaN))).toBeLessThan(40 * 2 ** -24 * Math.abs(value) + 1e-12);
    });
  });

  it('normalises and thresholds tiles by their own statistics', async () => {
    const { ensemble } = await trainTiny(gpu, memoryStorage(), {
      ...fourTiles,
      normalization: 'tile',
      threshold: 'tile',
    });
    expect(ensemble.fittedStatistics?.tiles).toHaveLength(4);
    const bad = await ensemble.predict({
      ...imageSize,
      data: new Uint8Array(imageSize.height * imageSize.width * 3).fill(255),
    });
    expect(bad.rawMap.data.every((value) => value >= 0 && value <= 1)).toBe(true);
    expect(bad.anomalous).toBe(true);
    expect(bad.mask.data.some((value) => value > 0)).toBe(true);
    ensemble.destroy();
  });

  it("replaces a finished run's threshold without training", async () => {
    const storage = memoryStorage();
    const { ensemble } = await trainTiny(gpu, storage, fourTiles);
    const image = drawImage('good:500');
    const { rawScores } = await ensemble.predict(image);
    ensemble.destroy();
    const load = (imageThreshold: number): Promise<TiledEnsemble> =>
      Run.open(storage).then((run) =>
        TiledEnsemble.load({ gpu, run, model: tinyModel(), backbone: tinyBackbone(), imageThreshold }),
      );
    for (const [threshold, anomalous] of [
      [rawScores.maximum - 0.01, true],
      [rawScores.maximum + 0.01, false],
    ] as const) {
      const loaded = await load(threshold);
      expect((await loaded.predict(image)).anomalous).toBe(anomalous);
      loaded.destroy();
    }
  });
});
