import { describe, expect, it } from 'vitest';
import { assumedAdapter } from '../../../src/engine/adapter.js';
import type { Gpu } from '../../../src/engine/gpu.js';
import { Graph } from '../../../src/engine/graph.js';
import { compile } from '../../../src/engine/plan.js';
import { Program } from '../../../src/engine/program.js';
import { elementCount, type HostTensor } from '../../../src/engine/tensor.js';
import { backboneFeatures, type Backbone } from '../../../src/models/backbones/backbone.js';
import { paddingAround } from '../../../src/models/backbones/convolution-unit.js';
import { backboneNames, createBackbone } from '../../../src/models/backbones/index.js';
import { mobilenetV2BackboneUnits } from '../../../src/models/backbones/mobilenet-v2.js';
import { resnetTensorShapes } from '../../../src/models/backbones/resnet.js';
import { convolutionShapes } from '../../../src/models/weights/mobilenet-v2-layout.js';
import { caffeVariant } from '../../../src/models/weights/network-weights.js';
import { testGpu } from '../../gpu.js';
import { randomTensor } from '../../kernels/harness.js';
import { array64, type Array64 } from '../../reference/array64.js';
import { foldWeights, randomWeights } from './random-weights.js';
import { mobilenetV2Reference, resnetReference } from './reference-networks.js';

async function features(gpu: Gpu, backbone: Backbone, image: HostTensor, layers: string[]): Promise<HostTensor[]> {
  const graph = new Graph(backbone.name);
  const input = graph.input('image', image.shape);
  const taps = backbone.build(graph, input, layers).map((tensor) => graph.output(tensor));
  const program = await Program.create(gpu, compile(graph, { adapter: gpu.profile }));
  try {
    const results = await program.execute(new Map([[input, image.data]]));
    return taps.map((tensor) => ({ shape: tensor.shape, data: results.get(tensor) ?? new Float32Array() }));
  } finally {
    program.destroy();
  }
}

/** Rounding of a chain of sums, relative to the largest feature: a few units a layer. */
function expectClose(actual: HostTensor | undefined, reference: Array64 | undefined, layers: number): void {
  if (!actual || !reference) throw new Error('nothing to compare');
  expect(actual.shape).toEqual(reference.shape);
  const largest = reference.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  expect(largest).toBeGreaterThan(0.1);
  expect(largest).toBeLessThan(1e4);
  let worst = 0;
  actual.data.forEach((value, index) => {
    worst = Math.max(worst, Math.abs(value - (reference.data[index] ?? NaN)) || 0);
  });
  expect(actual.data.every(Number.isFinite)).toBe(true);
  expect(worst / largest).toBeLessThan(layers * 16 * 2 ** -24);
}

const image = (height: number, width: number): HostTensor => randomTensor([1, height, width, 3], 99, 2);

describe('ResNet', () => {
  const apart = randomWeights('resnet18', resnetTensorShapes('resnet18', 3, 'apart'));
  const norms = new Map(
    [...apart.tensors.keys()]
      .filter((name) => /conv\d\.weight$|downsample\.0\.weight$/.test(name))
      .map((name) => {
        const conv = name.replace('.weight', '');
        return [conv, conv.replace('downsample.0', 'downsample.1').replace(/conv(\d)$/, 'bn$1')];
      }),
  );

  it('ResNet-18 equals the reference, with batch norms apart and folded', async () => {
    const gpu = await testGpu();
    const input = image(64, 64);
    const reference = resnetReference(apart, array64(input), 3);
    const layers = ['layer1', 'layer2', 'layer3'];
    const folded = foldWeights(apart, norms);
    expect(folded.tensors.size).toBe(2 * norms.size);
    for (const weights of [apart, folded]) {
      const results = await features(gpu, createBackbone('resnet18', weights), input, layers);
      expect(results.map((result) => result.shape)).toEqual([
        [1, 16, 16, 64],
        [1, 8, 8, 128],
        [1, 4, 4, 256],
      ]);
      results.forEach((result, index) => expectClose(result, reference[index], 5 + 4 * index));
    }
  });

  it("Caffe's ResNet-50: stride on the first 1×1, pooling in ceil mode, an odd oblong image", async () => {
    const weights = randomWeights('resnet50', resnetTensorShapes('resnet50', 3, 'folded'), caffeVariant);
    const input = image(39, 46);
    const results = await features(await testGpu(), createBackbone('resnet50', weights), input, ['layer2', 'layer1']);
    const [first, second] = resnetReference(weights, array64(input), 2);
    expectClose(results[0], second, 22);
    expectClose(results[1], first, 10);
  });

  it('ResNet-18 to layer 3 is one dispatch a convolution, everything behind it fused', () => {
    const graph = new Graph('dispatches');
    const pixels = graph.input('pixels', [1, 256, 256, 3], 'u8x4');
    for (const tap of backboneFeatures(graph, createBackbone('resnet18', undefined), pixels, [
      'layer1',
      'layer2',
      'layer3',
    ])) {
      graph.output(tap);
    }
    // Variants that split a convolution into several dispatches are left out.
    const plan = compile(graph, { adapter: assumedAdapter, kernels: { conv2d: 'direct' } });
    const count = (name: string): number => plan.steps.filter((step) => step.operator === name).length;
    expect(count('conv2d')).toBe(15);
    expect(plan.steps.length).toBe(17);
    expect(plan.outputs.map((tensor) => tensor.shape)).toEqual([
      [1, 64, 64, 64],
      [1, 32, 32, 128],
      [1, 16, 16, 256],
    ]);
    expect(plan.flops).toBeGreaterThan(2.5e9);
  });

  it('offers layer4 only where the weights have it, and no layer it has not', () => {
    const names = (backbone: Backbone): string[] => backbone.layers.map((layer) => layer.name);
    expect(names(createBackbone('resnet18', apart))).toEqual(['layer1', 'layer2', 'layer3']);
    const empty = [...resnetTensorShapes('resnet18', 4, 'apart')].map(
      ([name, shape]) => [name, { shape, data: new Float32Array(elementCount(shape)) }] as const,
    );
    const deep = { ...apart, tensors: new Map(empty) };
    expect(names(createBackbone('resnet18', deep))).toEqual(['layer1', 'layer2', 'layer3', 'layer4']);
    const graph = new Graph('unknown');
    const pixels = graph.input('pixels', [1, 64, 64, 3], 'u8x4');
    expect(() => backboneFeatures(graph, createBackbone('resnet18', apart), pixels, ['layer4'])).toThrow(
      /backbone resnet18 has no layer layer4: it has layer1, layer2, layer3/,
    );
  });

  it('refuses the weights of another network and incomplete ones', () => {
    expect(() => createBackbone('resnet50', apart, 'some.safetensors')).toThrow(
      /some\.safetensors: not the weights of resnet50.*these look like weights of resnet18/,
    );
    const incomplete = new Map(apart.tensors);
    incomplete.delete('layer2.1.bn1.running_mean');
    expect(() => createBackbone('resnet18', { ...apart, tensors: incomplete }, 'half')).toThrow(
      /1 tensor missing \(layer2\.1\.bn1\.running_mean\)/,
    );
    expect(() => createBackbone('mobilenet-v2', apart)).toThrow(/not the weights of mobilenet-v2/);
  });
});

describe('MobileNetV2', () => {
  it.each([
    { padding: 'symmetric' as const, batchNorm: 'folded' as const, height: 64, width: 32 },
    { padding: 'keras-same' as const, batchNorm: 'apart' as const, height: 50, width: 37 },
  ])('equals the reference: $padding, batch norm $batchNorm', async ({ padding, batchNorm, height, width }) => {
    const shapes = convolutionShapes(mobilenetV2BackboneUnits(), batchNorm);
    const weights = randomWeights('mobilenet-v2', shapes, { padding, batchNormEpsilon: 1e-3 });
    const input = image(height, width);
    const reference = mobilenetV2Reference(weights, array64(input));
    const layers = ['layer1', 'layer2', 'layer3'];
    const results = await features(await testGpu(), createBackbone('mobilenet-v2', weights), input, layers);
    expect(results.map((result) => result.shape[3])).toEqual([144, 192, 576]);
    results.forEach((result, index) => expectClose(result, reference[index], [11, 20, 41][index] ?? 0));
  });

  it("Keras's padding is (0, 1) on even sizes and (1, 1) on odd ones", () => {
    expect(paddingAround(224, 3, 2, 'keras-same')).toEqual([0, 1]);
    expect(paddingAround(37, 3, 2, 'keras-same')).toEqual([1, 1]);
    expect(paddingAround(224, 3, 2, 'symmetric')).toEqual([1, 1]);
    expect(paddingAround(37, 3, 1, 'keras-same')).toEqual([1, 1]);
  });
});

it('every backbone offers layer1 to layer3 at strides 4, 8 and 16 without weights', () => {
  for (const name of backboneNames) {
    const backbone = createBackbone(name, undefined);
    const layers = ['layer1', 'layer2', 'layer3'];
    const graph = new Graph(name);
    const taps = backboneFeatures(graph, backbone, graph.input('pixels', [2, 96, 128, 3], 'u8x4'), layers);
    taps.forEach((tap, index) => {
      const layer = backbone.layers[index];
      const stride = 4 * 2 ** index;
      expect(layer).toMatchObject({ name: `layer${index + 1}`, stride });
      expect(tap.shape).toEqual([2, 96 / stride, 128 / stride, layer?.channels]);
    });
  }
});
