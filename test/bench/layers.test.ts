import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compareTaps } from '../../bench/backbone.js';
import { accumulatedTerms, backboneLayers, type Layers } from '../../bench/layers.js';
import { nchwToNhwc, nhwcToNchw } from '../../bench/layout.js';
import { onnxModel } from '../../bench/onnx-model.js';
import { bytesOf, prepareNetwork, readBackbone, readLayers, readPrepared, tapNames } from '../../bench/prepare.js';
import { randomNumbers } from '../../bench/random.js';
import { randomWeights } from '../../bench/weights.js';
import { Graph } from '../../src/engine/graph.js';
import { compile } from '../../src/engine/plan.js';
import { Program } from '../../src/engine/program.js';
import { conv2dShape } from '../../src/kernels/conv2d/shape.js';
import { createBackbone } from '../../src/models/backbones/index.js';
import { decodeOnnx } from '../../src/models/weights/onnx.js';
import { testGpu } from '../gpu.js';
import { referenceConv2d } from '../reference/conv2d.js';

/** The layers one by one on the CPU: what any runtime that is given them must compute. */
function runLayers({ layers, inputShape, taps }: Layers, image: Float32Array): Float32Array[] {
  const shape: readonly number[] = inputShape;
  const values = new Map([[0, { shape, data: image }]]);
  const value = (number: number): { shape: readonly number[]; data: Float32Array } => {
    const found = values.get(number);
    if (!found) throw new Error(`value ${number} is not computed yet`);
    return found;
  };
  for (const layer of layers) {
    const input = value(layer.input);
    let { shape } = input;
    let data: Float32Array;
    if (layer.kind === 'convolution') {
      const { stride, padding, groups, bias } = layer;
      const form = conv2dShape(input.shape, layer.weight.shape, { stride, padding, groups });
      shape = [form.batch, form.outHeight, form.outWidth, form.outChannels];
      data = Float32Array.from(
        referenceConv2d(form, input, layer.weight).values,
        (sum, index) => sum + (bias.data[index % form.outChannels] ?? 0),
      );
    } else if (layer.kind === 'max-pool') {
      const [batch = 0, height = 0, width = 0, channels = 0] = input.shape;
      const { window, stride, padding } = layer;
      const outputs = (size: number, around: number): number => Math.floor((size + around - window) / stride) + 1;
      const outHeight = outputs(height, padding.top + padding.bottom);
      const outWidth = outputs(width, padding.left + padding.right);
      shape = [batch, outHeight, outWidth, channels];
      data = Float32Array.from({ length: batch * outHeight * outWidth * channels }, (_, index) => {
        const channel = index % channels;
        const x = Math.floor(index / channels) % outWidth;
        const y = Math.floor(index / channels / outWidth) % outHeight;
        let largest = -Infinity;
        for (let row = y * stride - padding.top; row < y * stride - padding.top + window; row++) {
          for (let column = x * stride - padding.left; column < x * stride - padding.left + window; column++) {
            if (row < 0 || column < 0 || row >= height || column >= width) continue;
            largest = Math.max(largest, input.data[(row * width + column) * channels + channel] ?? 0);
          }
        }
        return largest;
      });
    } else {
      const other = value(layer.other).data;
      data = input.data.map((a, index) => a + (other[index] ?? 0));
    }
    const activation = 'activation' in layer ? layer.activation : 'none';
    if (activation !== 'none') data = data.map((a) => Math.min(Math.max(a, 0), activation === 'relu6' ? 6 : Infinity));
    values.set(layer.output, { shape, data });
  }
  return taps.map((tap) => value(tap.value).data);
}

describe.each(['resnet18', 'mobilenet-v2'] as const)('layers of %s', (network) => {
  const backbone = createBackbone(network, randomWeights(network));
  const layers = backboneLayers(backbone, tapNames, 1, 32);

  it('compute what our engine computes', async () => {
    const gpu = await testGpu();
    const graph = new Graph(network);
    const image = graph.input('image', [1, 32, 32, 3]);
    const taps = backbone.build(graph, image, tapNames).map((tensor) => graph.output(tensor));
    const program = await Program.create(gpu, compile(graph, { adapter: gpu.profile }));
    try {
      const data = randomNumbers(32 * 32 * 3, 1, 2);
      const results = await program.execute(new Map([[image, data]]));
      const own = taps.map((tap) => results.get(tap) ?? new Float32Array());
      expect(taps.map((tap) => tap.shape)).toEqual(layers.taps.map((tap) => tap.shape));
      const { error, bound } = compareTaps(own, runLayers(layers, data), accumulatedTerms(layers));
      expect(error).toBeGreaterThan(0);
      expect(error).toBeLessThanOrEqual(bound);
    } finally {
      program.destroy();
    }
  });

  it('are written as an ONNX file that holds every weight', () => {
    const { tensors } = decodeOnnx(onnxModel(layers), 'network.onnx');
    const convolutions = layers.layers.filter((layer) => layer.kind === 'convolution');
    const constants = network === 'mobilenet-v2' ? 2 : 0;
    expect(tensors.size).toBe(2 * convolutions.length + constants);
    for (const [index, layer] of layers.layers.entries()) {
      if (layer.kind !== 'convolution') continue;
      const [height = 0, width = 0, inputs = 0, outputs = 0] = layer.weight.shape;
      const weight = tensors.get(`layer${index}.weight`);
      expect(weight?.shape).toEqual([outputs, inputs, height, width]);
      // The last tap of the last input of the last output is last in both layouts.
      expect(weight?.data.at(-1)).toBe(layer.weight.data.at(-1));
      expect(tensors.get(`layer${index}.bias`)?.data).toEqual(layer.bias.data);
    }
  });
});

it('a prepared folder gives back what was put in', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tilesight-test-'));
  try {
    const weights = randomWeights('mobilenet-v2');
    const prepared = await prepareNetwork(folder, 'mobilenet-v2', weights, 2, 32);
    expect((await readPrepared(folder)).prepared).toEqual(prepared);
    expect((await readPrepared(folder)).image.length).toBe(2 * 32 * 32 * 3);
    const backbone = await readBackbone(folder, 'mobilenet-v2');
    // As text: comparing hundreds of thousands of numbers one by one takes long.
    const bits = (_key: string, value: unknown): unknown =>
      value instanceof Float32Array ? Buffer.from(bytesOf(value)).toString('base64') : value;
    expect(JSON.stringify(await readLayers(folder), bits)).toBe(
      JSON.stringify(backboneLayers(backbone, tapNames, 2, 32), bits),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

it('layouts are turned and turned back', () => {
  const shape = [2, 3, 4, 5];
  const nhwc = randomNumbers(120, 3);
  const nchw = nhwcToNchw(nhwc, shape);
  // Image 1, row 2, column 3, channel 4.
  expect(nchw[((1 * 5 + 4) * 3 + 2) * 4 + 3]).toBe(nhwc[((1 * 3 + 2) * 4 + 3) * 5 + 4]);
  expect(nchwToNhwc(nchw, shape)).toEqual(nhwc);
});

describe('compareTaps', () => {
  it('finds the tap that is worst against its own bound', () => {
    const own = [Float32Array.of(1, 2), Float32Array.of(4, 8)];
    const { error, bound } = compareTaps(own, [Float32Array.of(1, 2), Float32Array.of(4, 9)], [10, 20]);
    expect(error).toBeCloseTo(1 / 8);
    expect(bound).toBe(40 * 2 ** -24);
  });

  it('takes what is not a number, or missing, for infinitely wrong', () => {
    expect(compareTaps([Float32Array.of(1)], [Float32Array.of(NaN)], [1]).error).toBe(Infinity);
    expect(compareTaps([Float32Array.of(1)], [new Float32Array()], [1]).error).toBe(Infinity);
  });
});
