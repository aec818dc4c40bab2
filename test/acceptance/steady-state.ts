import { ParameterPool } from '../../src/engine/program.js';
import { PositionCache } from '../../src/ensemble/positions.js';
import { predictImages } from '../../src/ensemble/predict.js';
import { tileGrid } from '../../src/ensemble/tiling.js';
import { planPredictor, Predictor } from '../../src/models/predictor.js';
import type { NamedTensors } from '../../src/engine/tensor.js';
import { openGpu } from '../../src/node/gpu.js';
import { residentMemory } from '../../src/node/peak-memory.js';
import { randomTensor } from '../kernels/harness.js';
import { randomPixels, tinyBackbone } from '../models/tiny-backbone.js';
import { createPadim } from '../../src/models/padim.js';
import { all, report } from './support.js';

/** 10,000 tiles in one process: device bytes flat, nothing allocated, resident memory flat. */
export async function run(): Promise<boolean> {
  const gpu = await openGpu();
  const model = createPadim({ dimensions: 8 });
  const tile = { height: 64, width: 64 };
  const grid = tileGrid({ image: { height: 320, width: 320 }, tile });
  const setting = {
    backbone: tinyBackbone(),
    tile,
    batch: 4,
    seed: 42,
    adapter: gpu.profile,
    budgetBytes: Infinity,
    trainingImages: 1,
  };
  const pool = new ParameterPool(gpu);
  const predictor = await Predictor.create(gpu, planPredictor(model, setting), setting, { pool });
  const read = (position: number): Promise<NamedTensors> =>
    Promise.resolve(
      new Map([...model.parameterShapes(setting)].map(([name, shape]) => [name, randomTensor(shape, position + 1)])),
    );
  const positions = new PositionCache(predictor, read, grid.positions, 3);
  const image = { ...grid.image, data: randomPixels(grid.image.height * grid.image.width * 3, 3) };
  const predict = async (images: number): Promise<void> => {
    const inputs = Array.from({ length: images }, (_, index) => ({
      name: `${index}`,
      read: () => Promise.resolve(image),
    }));
    const options = { predictor, positions, grid, shared: false, window: 'mean', hostBytes: 16 * 2 ** 20 } as const;
    for await (const { map } of predictImages(inputs, options))
      if (!Number.isFinite(map.data[0])) throw new Error('not finite');
  };
  // Warm: caches of V8 and of the driver have filled.
  await predict(80);
  const before = { bytes: gpu.memory.liveBytes, ...gpu.counters, allocations: gpu.memory.allocations };
  const resident = residentMemory().now;
  const images = Math.ceil(10_000 / grid.positions);
  await predict(images);
  console.log(
    `${images * grid.positions} tiles on ${gpu.profile.name}; ${gpu.counters.submits - before.submits} submits`,
  );
  const results = [
    report('device bytes grown', gpu.memory.liveBytes - before.bytes, 0, '≤'),
    report('allocations', gpu.memory.allocations - before.allocations, 0, '≤'),
    report('bind groups made', gpu.counters.bindGroups - before.bindGroups, 0, '≤'),
    report('resident memory grown, MB', (residentMemory().now - resident) / 1e6, 30, '≤'),
  ];
  positions.clear();
  predictor.destroy();
  pool.destroy();
  gpu.destroy();
  return all(results);
}
