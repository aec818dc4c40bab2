import type { Graph, Tensor } from '../../src/engine/graph.js';
import { addBias } from '../../src/kernels/epilogue.js';
import { conv2d } from '../../src/kernels/conv2d/conv2d.js';
import { relu } from '../../src/kernels/elementwise.js';
import type { TileSource } from '../../src/models/anomaly-model.js';
import type { Backbone } from '../../src/models/backbones/backbone.js';
import type { LoadedPosition, PositionSource } from '../../src/models/predictor.js';
import { randomTensor } from '../kernels/harness.js';

/** A backbone of a few convolutions with the layers that models ask for: for tests of what is behind it. */
export function tinyBackbone(channels: readonly [number, number, number] = [6, 5, 7]): Backbone {
  const convolution = (graph: Graph, x: Tensor, index: number, stride: number): Tensor => {
    const inputs = x.shape[3] ?? 0;
    const outputs = channels[index] ?? 0;
    const side = stride + 1;
    const kernel = randomTensor([side, side, inputs, outputs], 7 + index, 1.5 / Math.sqrt(side * side * inputs));
    const bias = randomTensor([outputs], 70 + index, 0.2);
    const weight = graph.parameter(`tiny.${index}.weight`, kernel.shape, { contents: () => kernel });
    const shift = graph.parameter(`tiny.${index}.bias`, bias.shape, { contents: () => bias });
    return relu(graph, addBias(graph, conv2d(graph, x, weight, { stride, padding: 1 }), shift));
  };
  return {
    name: 'resnet18',
    layers: channels.map((count, index) => ({ name: `layer${index + 1}`, channels: count, stride: 4 * 2 ** index })),
    weights: undefined,
    build(graph, image, wanted) {
      const layer1 = convolution(graph, image, 0, 4);
      const layer2 = convolution(graph, layer1, 1, 2);
      const layer3 = convolution(graph, layer2, 2, 2);
      const layers = new Map([
        ['layer1', layer1],
        ['layer2', layer2],
        ['layer3', layer3],
      ]);
      return wanted.flatMap((name) => layers.get(name) ?? []);
    },
  };
}

/** Tiles of 8-bit RGB `[count, height, width, 3]` in memory. */
export function memoryTiles(pixels: Uint8Array, count: number): TileSource {
  const bytes = pixels.length / count;
  return {
    count,
    imageName: (index) => `image ${index}`,
    read: (indices, target) => {
      indices.forEach((index, place) => {
        target.set(pixels.subarray(index * bytes, (index + 1) * bytes), place * bytes);
      });
      return Promise.resolve();
    },
  };
}

/** Random 8-bit pixels. */
export function randomPixels(count: number, seed: number): Uint8Array {
  return Uint8Array.from(randomTensor([count], seed, 127).data, (value) => Math.round(value + 128));
}

/** A source that has one position and gives it whatever is asked for. */
export function onePosition(position: LoadedPosition): PositionSource {
  return { loaded: () => position, load: () => Promise.resolve(position) };
}
