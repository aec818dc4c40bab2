import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { HostTensor } from '../src/engine/tensor.js';
import { createBackbone } from '../src/models/backbones/index.js';
import {
  encodeBackboneWeights,
  readBackboneWeights,
  type BackboneWeights,
  type NetworkName,
} from '../src/models/weights/network-weights.js';
import type { Backbone } from '../src/models/backbones/backbone.js';
import { accumulatedTerms, backboneLayers, type Layer, type Layers } from './layers.js';
import { onnxModel, valueName } from './onnx-model.js';
import { randomNumbers } from './random.js';

/** Layers that are read back. */
export const tapNames = ['layer1', 'layer2', 'layer3'] as const;

/** What a prepared folder holds besides the weights: the input and the network in words. */
export interface PreparedNetwork {
  readonly network: NetworkName;
  readonly inputShape: readonly [number, number, number, number];
  readonly taps: readonly { readonly shape: readonly number[]; readonly onnx: string }[];
  /** See {@link accumulatedTerms}. */
  readonly terms: readonly number[];
}

/** Layers with the weights as positions in `layers.bin`. */
export interface StoredLayers extends Omit<Layers, 'layers'> {
  readonly layers: readonly (Omit<Layer, 'weight' | 'bias'> & { weight?: StoredTensor; bias?: StoredTensor })[];
}

/** A tensor in `layers.bin`; `offset` counts floats. */
interface StoredTensor {
  readonly shape: readonly number[];
  readonly offset: number;
}

/**
 * Writes one network with its weights and its input in the form that each runtime loads: `weights.safetensors` (ours),
 * `network.onnx` (ONNX Runtime), `layers.json` and `layers.bin` (TensorFlow.js), `image.bin` (NHWC), `network.json`.
 */
export async function prepareNetwork(
  folder: string,
  network: NetworkName,
  weights: BackboneWeights,
  batch: number,
  size: number,
): Promise<PreparedNetwork> {
  await mkdir(folder, { recursive: true });
  const layers = backboneLayers(createBackbone(network, weights), tapNames, batch, size);
  const prepared: PreparedNetwork = {
    network,
    inputShape: layers.inputShape,
    taps: layers.taps.map(({ value, shape }) => ({ shape, onnx: valueName(value) })),
    terms: accumulatedTerms(layers),
  };
  const image = randomNumbers(batch * size * size * 3, 7, 2);
  await writeFile(join(folder, 'network.json'), JSON.stringify(prepared));
  await writeFile(join(folder, 'image.bin'), bytesOf(image));
  await writeFile(join(folder, 'weights.safetensors'), encodeBackboneWeights(weights));
  await writeFile(join(folder, 'network.onnx'), onnxModel(layers));
  await writeLayers(folder, layers);
  return prepared;
}

/** Reads what {@link prepareNetwork} wrote about the network, and the image. */
export async function readPrepared(folder: string): Promise<{ prepared: PreparedNetwork; image: Float32Array }> {
  const prepared = JSON.parse(await readFile(join(folder, 'network.json'), 'utf8')) as PreparedNetwork;
  return { prepared, image: floatsOf(await readFile(join(folder, 'image.bin'))) };
}

/** Our own backbone from a prepared folder. */
export async function readBackbone(folder: string, network: NetworkName): Promise<Backbone> {
  const path = join(folder, 'weights.safetensors');
  return createBackbone(network, readBackboneWeights(await readFile(path), path));
}

/** The layers with their weights, for TensorFlow.js. */
export async function readLayers(folder: string): Promise<Layers> {
  const stored = JSON.parse(await readFile(join(folder, 'layers.json'), 'utf8')) as StoredLayers;
  const numbers = floatsOf(await readFile(join(folder, 'layers.bin')));
  const restore = (tensor: StoredTensor | undefined): HostTensor | undefined => {
    if (!tensor) return undefined;
    const count = tensor.shape.reduce((product, length) => product * length, 1);
    return { shape: tensor.shape, data: numbers.subarray(tensor.offset, tensor.offset + count) };
  };
  const layers = stored.layers.map(
    (layer) => ({ ...layer, weight: restore(layer.weight), bias: restore(layer.bias) }) as Layer,
  );
  return { ...stored, layers };
}

async function writeLayers(folder: string, layers: Layers): Promise<void> {
  const parts: Float32Array[] = [];
  let offset = 0;
  const store = ({ shape, data }: HostTensor): StoredTensor => {
    parts.push(data);
    offset += data.length;
    return { shape, offset: offset - data.length };
  };
  const stored: StoredLayers = {
    ...layers,
    layers: layers.layers.map((layer) =>
      layer.kind === 'convolution' ? { ...layer, weight: store(layer.weight), bias: store(layer.bias) } : layer,
    ),
  };
  await writeFile(join(folder, 'layers.json'), JSON.stringify(stored));
  await writeFile(join(folder, 'layers.bin'), Buffer.concat(parts.map(bytesOf)));
}

/** The bytes behind floats, without a copy. */
export function bytesOf(data: Float32Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** Floats from a file's bytes; copied where these are not aligned. */
export function floatsOf(bytes: Uint8Array): Float32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  return new Float32Array(aligned.buffer, aligned.byteOffset, Math.floor(aligned.byteLength / 4));
}
