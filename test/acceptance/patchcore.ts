import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Graph } from '../../src/engine/graph.js';
import type { Gpu } from '../../src/engine/gpu.js';
import { compile } from '../../src/engine/plan.js';
import { Program } from '../../src/engine/program.js';
import type { HostTensor } from '../../src/engine/tensor.js';
import { createBackbone } from '../../src/models/backbones/index.js';
import { backboneFeatures } from '../../src/models/backbones/backbone.js';
import { coreset, nearest } from '../../src/models/nearest-neighbours.js';
import { appendPatches, patchLayers } from '../../src/models/patchcore/features.js';
import { readBackboneWeights } from '../../src/models/weights/network-weights.js';
import { openDataset } from '../../src/node/datasets.js';
import { openGpu } from '../../src/node/gpu.js';
import { nodeImages } from '../../src/node/images.js';
import { nearestReference } from '../reference/nearest.js';
import { randomTensor } from '../kernels/harness.js';
import { all, report, shared, trainJson } from './support.js';

/** PatchCore: banks larger than a binding, the streaming coreset beside the exact one, scores on MVTec AD bottle. */
export async function run(): Promise<boolean> {
  const gpu = await openGpu();
  const results: boolean[] = [];
  try {
    results.push(await largeBank(gpu));
    const folder = shared();
    if (folder) results.push(await streamingRadius(gpu, folder));
  } finally {
    gpu.destroy();
  }
  const folder = shared();
  if (folder) results.push(await bottle(folder));
  return all(results);
}

/** 20,000 rows of 1,536 numbers pass one binding of 128 MiB together with their norms. */
async function largeBank(gpu: Gpu): Promise<boolean> {
  const bank = randomTensor([22_000, 1536], 1);
  const queries = randomTensor([16, 1536], 2);
  const started = performance.now();
  const { distances, indices } = await nearest(gpu, queries, bank, 9);
  const seconds = (performance.now() - started) / 1000;
  let wrong = 0;
  let worst = 0;
  for (let query = 0; query < 16; query++) {
    const one = queries.data.subarray(query * 1536, (query + 1) * 1536);
    const { squares, order, bound } = nearestReference(one, bank.data, 1536);
    for (let rank = 0; rank < 9; rank++) {
      const own = squares[indices[query * 9 + rank] ?? 0] ?? NaN;
      if (own - (squares[order[rank] ?? 0] ?? NaN) > bound) wrong += 1;
      worst = Math.max(worst, Math.abs((distances[query * 9 + rank] ?? NaN) / Math.sqrt(own) - 1));
    }
  }
  console.log(`bank of 22,000 × 1,536, ${(bank.data.byteLength / 2 ** 20).toFixed(0)} MiB: ${seconds.toFixed(1)} s`);
  return all([
    report('neighbours that are not the nearest', wrong, 0, '≤'),
    report('largest relative error of a distance', worst, 1540 * 2 ** -24, '≤'),
  ]);
}

/** Patch features of the first good images, `[images · 1,024, 384]`. */
export async function bottleFeatures(gpu: Gpu, folder: string, images: number): Promise<HostTensor> {
  const path = join(folder, 'weights', 'resnet18.safetensors');
  const backbone = createBackbone('resnet18', readBackboneWeights(readFileSync(path), path));
  const graph = new Graph('features');
  const pixels = graph.input('pixels', [1, 256, 256, 3], 'u8x4');
  const patches = graph.output(appendPatches(graph, backboneFeatures(graph, backbone, pixels, patchLayers)));
  const program = await Program.create(gpu, compile(graph, { adapter: gpu.profile }));
  const dataset = await openDataset(join(folder, 'data', 'mvtec', 'bottle'));
  const chosen = dataset.train.slice(0, images);
  const size = 1024 * 384;
  const data = new Float32Array(chosen.length * size);
  for (const [index, sample] of chosen.entries()) {
    const image = await nodeImages.readImage(sample.path, { height: 256, width: 256 });
    const outputs = await program.execute(new Map([[pixels, image.data]]));
    data.set(outputs.get(patches) ?? new Float32Array(), index * size);
  }
  program.destroy();
  return { shape: [chosen.length * 1024, 384], data };
}

/** How far the farthest vector is from a coreset, by the search that was just checked. */
async function coveringRadius(gpu: Gpu, vectors: HostTensor, indices: Uint32Array): Promise<number> {
  const bank = new Float32Array(indices.length * 384);
  indices.forEach((row, index) => bank.set(vectors.data.subarray(row * 384, (row + 1) * 384), index * 384));
  const { distances } = await nearest(gpu, vectors, { shape: [indices.length, 384], data: bank }, 1);
  return distances.reduce((largest, distance) => Math.max(largest, distance), 0);
}

async function streamingRadius(gpu: Gpu, folder: string): Promise<boolean> {
  const vectors = await bottleFeatures(gpu, folder, 12);
  const rows = vectors.shape[0] ?? 0;
  const results: boolean[] = [];
  for (const ratio of [0.1, 0.01]) {
    const count = Math.floor(rows * ratio);
    const started = performance.now();
    const exact = await coreset(gpu, vectors, { count, seed: 1 });
    const middle = performance.now();
    const exactBytes = rows * (384 + 240 + 1) * 4;
    const streamed = await coreset(gpu, vectors, { count, seed: 1, budgetBytes: exactBytes / 4 });
    const ended = performance.now();
    const [a, b] = [
      await coveringRadius(gpu, vectors, exact.indices),
      await coveringRadius(gpu, vectors, streamed.indices),
    ];
    console.log(
      `coreset of ${count} of ${rows}: exact ${((middle - started) / 1000).toFixed(1)} s, radius ${a.toFixed(3)}; ` +
        `${streamed.kind} in a quarter of the memory ${((ended - middle) / 1000).toFixed(1)} s, radius ${b.toFixed(3)}`,
    );
    results.push(report(`covering radius, streaming over exact, ratio ${ratio}`, b / a, 1.8, '≤'));
  }
  return all(results);
}

async function bottle(folder: string): Promise<boolean> {
  const weights = (name: string): string[] => [
    ...['--backbone', name],
    ...['--weights', join(folder, 'weights', `${name}.safetensors`)],
  ];
  const common = ['--model', 'patchcore', '--validation', 'same-as-test', '--no-check', '--score', 'mean'];
  const results: boolean[] = [];
  const line = async (
    name: string,
    words: readonly string[],
    bounds: { image: number; pixel: number },
  ): Promise<{ image: number; pixel: number; peakBytes: number }> => {
    const { metrics, memory, seconds } = await trainJson([
      ...['--data', join(folder, 'data', 'mvtec', 'bottle')],
      ...common,
      ...words,
    ]);
    console.log(
      `${name}: AUROC by maximum ${metrics.imageAUROCMaximum.toFixed(4)}, by mean ${metrics.imageAUROCMean.toFixed(4)}; ` +
        `AUPRO ${metrics.pixelAUPRO.toFixed(4)}; ${seconds.total.toFixed(0)} s, peak ${(memory.peakBytes / 2 ** 20).toFixed(0)} MiB`,
    );
    results.push(report(`${name} image AUROC`, metrics.imageAUROC, bounds.image));
    results.push(report(`${name} pixel AUROC`, metrics.pixelAUROC, bounds.pixel));
    results.push(report(`${name} measured over planned bytes`, memory.peakBytes / memory.plannedBytes, 1, '≤'));
    return { image: metrics.imageAUROC, pixel: metrics.pixelAUROC, peakBytes: memory.peakBytes };
  };
  const single = ['--image-size', '256', '--tile-size', '256'];
  const r18 = weights('resnet18');
  const exact = await line('ResNet-18, 0.1', [...r18, ...single], { image: 0.995, pixel: 0.975 });
  await line('ResNet-18, 0.01', [...r18, ...single, '--patchcore.coreset', '0.01'], { image: 0.99, pixel: 0.97 });
  await line('ResNet-18, 0.1, bank of 16-bit floats', [...r18, ...single, '--patchcore.f16', 'true'], {
    image: exact.image - 0.005,
    pixel: exact.pixel - 0.005,
  });
  const quarter = ['--memory', String(Math.floor(exact.peakBytes / 4))];
  await line('ResNet-18, 0.1, a quarter of the memory', [...r18, ...single, ...quarter], {
    image: exact.image - 0.005,
    pixel: exact.pixel - 0.005,
  });
  const tiles = ['--image-size', '512', '--tile-size', '256', '--stride', '256'];
  await line('ResNet-18, 0.1, 2x2 at 512', [...r18, ...tiles], {
    image: exact.image - 0.002,
    pixel: exact.pixel - 0.002,
  });
  await line('ResNet-50, 0.1', [...weights('resnet50'), ...single], { image: 0.995, pixel: 0.975 });
  return all(results);
}
