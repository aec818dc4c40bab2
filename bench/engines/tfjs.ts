import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Activation, Layer, Layers, Margin } from '../layers.js';
import { peerFile, peersManifest } from '../peers.js';
import { readLayers, readPrepared } from '../prepare.js';
import { defineNavigator, stackRate, type Engine, type StackJob } from './engine.js';
import { stackInput, stackWeights } from './stack.js';

/** As much of TensorFlow.js's interface as is used here. */
export interface TfTensor {
  readonly shape: readonly number[];
  data(): Promise<Float32Array>;
  dispose(): void;
}
type Pads = [[number, number], [number, number], [number, number], [number, number]];
interface FusedConvolution {
  x: TfTensor;
  filter: TfTensor;
  strides: readonly [number, number];
  pad: Pads;
  bias: TfTensor;
  activation?: 'relu' | 'relu6' | 'linear';
}
/** The library with one backend chosen. */
export interface Tf {
  setBackend(name: string): Promise<boolean>;
  getBackend(): string;
  ready(): Promise<void>;
  tidy<T>(body: () => T): T;
  tensor(data: Float32Array, shape: readonly number[]): TfTensor;
  variable(initial: TfTensor): TfTensor;
  add(a: TfTensor, b: TfTensor): TfTensor;
  square(x: TfTensor): TfTensor;
  mean(x: TfTensor): TfTensor;
  relu(x: TfTensor): TfTensor;
  relu6(x: TfTensor): TfTensor;
  conv2d(x: TfTensor, filter: TfTensor, strides: number, pad: 'same' | 'valid'): TfTensor;
  maxPool(x: TfTensor, filter: number, strides: number, pad: Pads): TfTensor;
  readonly train: {
    adam(rate: number): { minimize(loss: () => TfTensor, returnCost: boolean, variables: TfTensor[]): TfTensor | null };
  };
  readonly fused: {
    conv2d(options: FusedConvolution): TfTensor;
    depthwiseConv2d(options: FusedConvolution): TfTensor;
  };
}

/** TensorFlow.js with the given backend. */
export async function openTensorflow(backend: 'webgpu' | 'wasm'): Promise<Tf> {
  const require = createRequire(peersManifest);
  if (backend === 'webgpu') await defineNavigator();
  const tf = quietly(() => require('@tensorflow/tfjs') as Tf);
  if (backend === 'webgpu') {
    require('@tensorflow/tfjs-backend-webgpu');
  } else {
    const wasm = require('@tensorflow/tfjs-backend-wasm') as { setWasmPaths(folder: string): void };
    wasm.setWasmPaths(`${dirname(fileURLToPath(peerFile('@tensorflow/tfjs-backend-wasm/dist/index.js')))}/`);
  }
  await tf.setBackend(backend);
  await tf.ready();
  if (tf.getBackend() !== backend) throw new Error(`TensorFlow.js does not start its backend ${backend}`);
  return tf;
}

/** TensorFlow.js, on the adapter (`webgpu`) or on the CPU (`wasm`). */
export async function createTensorflow(backend: 'webgpu' | 'wasm'): Promise<Engine> {
  const tf = await openTensorflow(backend);
  let network: LoadedNetwork | undefined;
  let step: (() => Promise<Float32Array>) | undefined;
  let image: Float32Array = new Float32Array();
  let last: Float32Array[] = [];
  return {
    async load(job) {
      for (const { filter, bias } of network?.weights.values() ?? []) {
        filter.dispose();
        bias.dispose();
      }
      network = undefined;
      step = undefined;
      if ('stack' in job) {
        step = createStack(tf, job);
        return;
      }
      const { folder } = job;
      image = (await readPrepared(folder)).image;
      network = loadLayers(tf, await readLayers(folder));
    },
    async run() {
      if (step) {
        last = [await step()];
        return;
      }
      if (!network) throw new Error('no network is loaded');
      const { layers } = network;
      const taps = tf.tidy(() => forward(tf, network ?? missing(), tf.tensor(image, layers.inputShape)));
      last = await Promise.all(taps.map((tap) => tap.data()));
      for (const tap of taps) tap.dispose();
    },
    outputs: () => Promise.resolve(last),
  };
}

/** The training step of a stack: uploads the batch, gives the loss. */
function createStack(tf: Tf, job: StackJob): () => Promise<Float32Array> {
  const { batch, size, channels } = job;
  const layers = stackWeights(job).map(({ shape, data }) => ({
    weight: tf.variable(tf.tensor(data, shape)),
    bias: tf.variable(tf.tensor(new Float32Array(channels), [channels])),
  }));
  const optimizer = tf.train.adam(stackRate);
  const input = stackInput(job);
  return async () => {
    const x = tf.tensor(input, [batch, size, size, channels]);
    const forward = (): TfTensor =>
      tf.mean(
        tf.square(
          layers.reduce((value, { weight, bias }) => tf.relu(tf.add(tf.conv2d(value, weight, 1, 'same'), bias)), x),
        ),
      );
    const variables = layers.flatMap(({ weight, bias }) => [weight, bias]);
    const loss = optimizer.minimize(forward, true, variables);
    if (!loss) throw new Error('no loss came back');
    const value = await loss.data();
    loss.dispose();
    x.dispose();
    return value;
  };
}

interface LoadedNetwork {
  readonly layers: Layers;
  readonly weights: ReadonlyMap<Layer, { readonly filter: TfTensor; readonly bias: TfTensor }>;
}

function loadLayers(tf: Tf, layers: Layers): LoadedNetwork {
  const weights = new Map<Layer, { filter: TfTensor; bias: TfTensor }>();
  for (const layer of layers.layers) {
    if (layer.kind !== 'convolution') continue;
    const [height = 1, width = 1, inputs = 1, outputs = 1] = layer.weight.shape;
    // A depthwise filter is [height, width, channels, 1] here, [height, width, 1, channels] in our layout: the same bytes.
    const shape = layer.groups > 1 ? [height, width, outputs, 1] : [height, width, inputs, outputs];
    weights.set(layer, {
      filter: tf.tensor(layer.weight.data, shape),
      bias: tf.tensor(layer.bias.data, layer.bias.shape),
    });
  }
  return { layers, weights };
}

function forward(tf: Tf, { layers, weights }: LoadedNetwork, image: TfTensor): TfTensor[] {
  const values = new Map<number, TfTensor>([[0, image]]);
  const value = (number: number): TfTensor => values.get(number) ?? missing();
  const activate = (x: TfTensor, activation: Activation): TfTensor =>
    activation === 'none' ? x : activation === 'relu' ? tf.relu(x) : tf.relu6(x);
  for (const layer of layers.layers) {
    const x = value(layer.input);
    let result: TfTensor;
    if (layer.kind === 'convolution') {
      const { filter, bias } = weights.get(layer) ?? missing();
      const { stride: strides, padding, activation } = layer;
      const fused = { x, filter, strides, pad: pads(padding), bias };
      const options = activation === 'none' ? fused : { ...fused, activation };
      result = layer.groups > 1 ? tf.fused.depthwiseConv2d(options) : tf.fused.conv2d(options);
    } else if (layer.kind === 'max-pool') {
      result = tf.maxPool(x, layer.window, layer.stride, pads(layer.padding));
    } else {
      result = activate(tf.add(x, value(layer.other)), layer.activation);
    }
    values.set(layer.output, result);
  }
  return layers.taps.map((tap) => value(tap.value));
}

const pads = ({ top, bottom, left, right }: Margin): Pads => [
  [0, 0],
  [top, bottom],
  [left, right],
  [0, 0],
];

function missing(): never {
  throw new Error('a value of the network is missing');
}

/** TensorFlow.js advertises its native package on the console when it is loaded in Node. */
function quietly<T>(body: () => T): T {
  const { warn, log } = console;
  console.warn = console.log = () => undefined;
  try {
    return body();
  } finally {
    Object.assign(console, { warn, log });
  }
}
