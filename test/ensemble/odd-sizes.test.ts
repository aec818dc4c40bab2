import { beforeAll, describe, expect, it } from 'vitest';
import type { RgbImage } from '../../src/data/image.js';
import type { Gpu } from '../../src/engine/gpu.js';
import { ParameterPool } from '../../src/engine/program.js';
import { PositionCache } from '../../src/ensemble/positions.js';
import { predictImages } from '../../src/ensemble/predict.js';
import { cutTile, tileGrid, tileOrigin } from '../../src/ensemble/tiling.js';
import { planPredictor, Predictor } from '../../src/models/predictor.js';
import type { ModelSetting } from '../../src/models/anomaly-model.js';
import type { HostTensor, NamedTensors } from '../../src/engine/tensor.js';
import { testGpu } from '../gpu.js';
import { randomPixels, onePosition, tinyBackbone } from '../models/tiny-backbone.js';
import { randomTensor } from '../kernels/harness.js';
import { tinyModel } from './support.js';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await testGpu();
});

interface Layout {
  readonly name: string;
  readonly image: { height: number; width: number };
  readonly tile: { height: number; width: number };
  readonly stride: { height: number; width: number };
}

const square = (side: number): { height: number; width: number } => ({ height: side, width: side });
const layouts: readonly Layout[] = [
  {
    name: 'neither side a multiple of the tile',
    image: { height: 125, width: 316 },
    tile: square(64),
    stride: square(64),
  },
  {
    name: 'a last tile of one row and one column',
    image: { height: 129, width: 65 },
    tile: square(64),
    stride: square(32),
  },
  { name: 'a stride that does not divide the tile', image: square(128), tile: square(55), stride: square(28) },
  {
    name: 'very wide',
    image: { height: 50, width: 800 },
    tile: { height: 50, width: 64 },
    stride: { height: 50, width: 60 },
  },
];

/** Parameters of a position, different for each. */
function parametersOf(setting: ModelSetting, position: number): NamedTensors {
  const shapes = tinyModel().parameterShapes(setting);
  return new Map(
    [...shapes].map(([name, shape]): [string, HostTensor] => [name, randomTensor(shape, 31 * position + name.length)]),
  );
}

describe('images of odd sizes', () => {
  it.each(layouts)(
    '$name: the map is the mean of the tiles computed one by one',
    async ({ image: size, tile, stride }) => {
      const grid = tileGrid({ image: size, tile, stride });
      const setting: ModelSetting = {
        backbone: tinyBackbone(),
        tile,
        batch: 3,
        seed: 42,
        adapter: gpu.profile,
        budgetBytes: Infinity,
        trainingImages: 1,
      };
      const image: RgbImage = { ...size, data: randomPixels(size.height * size.width * 3, 5) };
      const pool = new ParameterPool(gpu);
      const predictor = await Predictor.create(gpu, planPredictor(tinyModel(), setting), setting, { pool });
      const read = (position: number): Promise<NamedTensors> => Promise.resolve(parametersOf(setting, position));

      // Directly: every tile alone, summed and counted in f64.
      const sums = new Float64Array(size.height * size.width);
      const counts = new Float64Array(sums.length);
      for (let position = 0; position < grid.positions; position++) {
        const loaded = await predictor.load(await read(position));
        await predictor.submit(0, cutTile(image, grid, position), [position], onePosition(loaded));
        const { maps } = await predictor.read(0, 1);
        predictor.release(loaded);
        const { top, left } = tileOrigin(grid, position);
        for (let row = 0; row < tile.height && top + row < size.height; row++) {
          for (let column = 0; column < tile.width && left + column < size.width; column++) {
            const at = (top + row) * size.width + left + column;
            sums[at] = (sums[at] ?? 0) + (maps[row * tile.width + column] ?? NaN);
            counts[at] = (counts[at] ?? 0) + 1;
          }
        }
      }

      const positions = new PositionCache(predictor, read, grid.positions, 2);
      const options = { predictor, positions, grid, shared: false, window: 'mean' } as const;
      const inputs = [{ name: 'odd', read: () => Promise.resolve(image) }];
      for await (const { map } of predictImages(inputs, options)) {
        expect(map.height * map.width).toBe(sums.length);
        let worst = 0;
        map.data.forEach((value, at) => {
          const mean = (sums[at] ?? NaN) / (counts[at] ?? 0);
          worst = Math.max(worst, Math.abs(value - mean) / (Math.abs(mean) * 8 * 2 ** -24 + 1e-30));
        });
        expect(worst).toBeLessThanOrEqual(1);
      }
      positions.clear();
      predictor.destroy();
      pool.destroy();
    },
  );
});
