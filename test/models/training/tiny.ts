import { Graph, type Tensor } from '../../../src/engine/graph.js';
import type { Gpu } from '../../../src/engine/gpu.js';
import { compile } from '../../../src/engine/plan.js';
import { ParameterPool, Program } from '../../../src/engine/program.js';
import type { HostTensor, NamedTensors } from '../../../src/engine/tensor.js';
import { conv2d } from '../../../src/kernels/conv2d/conv2d.js';
import { relu } from '../../../src/kernels/elementwise.js';
import { pool2d } from '../../../src/kernels/pool2d.js';
import type {
  AnomalyModel,
  FitJob,
  FittedPosition,
  ModelSetting,
  TileSource,
} from '../../../src/models/anomaly-model.js';
import { backboneFeatures, type Backbone } from '../../../src/models/backbones/backbone.js';
import { randomTensor } from '../../kernels/harness.js';

/** A frozen network as small as can be, with the layers of a ResNet: averages, then a fixed mixture of the colours. */
export function tinyBackbone(
  channels: readonly [number, number, number],
  name: Backbone['name'] = 'resnet18',
): Backbone {
  return {
    name,
    layers: channels.map((count, index) => ({ name: `layer${index + 1}`, channels: count, stride: 4 * 2 ** index })),
    weights: undefined,
    build(graph, image, wanted) {
      return wanted.map((layer) => {
        const index = Number(layer.slice(-1)) - 1;
        const stride = 4 * 2 ** index;
        const small = pool2d(graph, image, { mode: 'average', kernel: stride, stride });
        const mixture = randomTensor([1, 1, 3, channels[index] ?? 1], 40 + index, 2);
        const weight = graph.parameter(`tiny.${layer}`, mixture.shape, { contents: () => mixture });
        return relu(graph, conv2d(graph, small, weight));
      });
    },
  };
}

export function tinySetting(
  gpu: Gpu,
  backbone: Backbone,
  side: number,
  batch: number,
  budgetBytes = Infinity,
): ModelSetting {
  return {
    backbone,
    tile: { height: side, width: side },
    batch,
    seed: 7,
    adapter: gpu.profile,
    budgetBytes,
    trainingImages: 5,
  };
}

/** Reproducible noise images. */
export function noiseTiles(count: number, side: number, seed = 1): TileSource {
  const length = side * side * 3;
  return {
    count,
    read: (indices, target) => {
      indices.forEach((image, place) => {
        const { data } = randomTensor([length], seed + image, 127);
        for (let i = 0; i < length; i++) target[place * length + i] = Math.round((data[i] ?? 0) + 128);
      });
      return Promise.resolve();
    },
    imageName: (index) => `image${index}.png`,
  };
}

/** A fit with a checkpoint store that keeps every checkpoint. */
export async function fit(
  gpu: Gpu,
  model: AnomalyModel,
  setting: ModelSetting,
  job: Partial<FitJob> = {},
): Promise<{ position: FittedPosition; checkpoints: NamedTensors[]; peakBytes: number }> {
  const checkpoints: NamedTensors[] = [];
  const pool = new ParameterPool(gpu);
  const before = gpu.memory.liveBytes;
  gpu.memory.resetPeak();
  const fitter = await model.createFitter(setting, { gpu, pool, profiler: undefined });
  try {
    const position = await fitter.fit({
      tiles: noiseTiles(5, setting.tile.height),
      heldOut: undefined,
      signal: undefined,
      onProgress: undefined,
      checkpoint: {
        load: () => Promise.resolve(undefined),
        save: (tensors) => {
          checkpoints.push(tensors);
          return Promise.resolve();
        },
      },
      ...job,
    });
    return { position, checkpoints, peakBytes: gpu.memory.peakBytes - before };
  } finally {
    fitter.destroy();
    pool.destroy();
  }
}

/** What the frozen part makes of given images, as the model sees it. */
export async function frozenFeatures(
  gpu: Gpu,
  model: AnomalyModel,
  setting: ModelSetting,
  tiles: TileSource,
  images: readonly number[],
): Promise<HostTensor[]> {
  const { height, width } = setting.tile;
  const graph = new Graph('features');
  const pixels = graph.input('pixels', [images.length, height, width, 3], 'u8x4');
  const taps = backboneFeatures(graph, setting.backbone, pixels, model.layers);
  const features: Tensor[] = model.features(graph, taps, setting, pixels).map((tensor) => graph.output(tensor));
  const program = await Program.create(gpu, compile(graph, { adapter: gpu.profile }));
  const data = new Uint8Array(images.length * height * width * 3);
  await tiles.read(images, data);
  const results = await program.execute(new Map([[pixels, data]]));
  program.destroy();
  return features.map((tensor) => ({ shape: tensor.shape, data: results.get(tensor) ?? new Float32Array() }));
}
