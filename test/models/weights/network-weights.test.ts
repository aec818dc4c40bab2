import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { HostTensor, Shape } from '../../../src/engine/tensor.js';
import { batchNormPlacement, checkWeights, recogniseNetwork } from '../../../src/models/weights/check-weights.js';
import {
  convolutionShapes,
  mobilenetV2Blocks,
  mobilenetV2Units,
} from '../../../src/models/weights/mobilenet-v2-layout.js';
import {
  caffePreprocessing,
  encodeBackboneWeights,
  imagenetPreprocessing,
  readBackboneWeights,
  torchvisionVariant,
  type BackboneWeights,
} from '../../../src/models/weights/network-weights.js';
import { assertFinite } from '../../../src/models/weights/nonfinite.js';
import { encodeSafetensors } from '../../../src/models/weights/safetensors.js';
import { torchvisionNames } from '../../../src/models/weights/tensor-names.js';
import { tensor, tensorsOf } from './handmade.js';
import { absent, sharedFile } from './shared-files.js';

const resnet18Start: [string, Shape][] = [
  ['conv1.weight', [2, 3, 1, 1]],
  ['bn1.weight', [2]],
  ['bn1.running_mean', [2]],
  ['layer1.0.conv1.weight', [2, 2, 1, 1]],
];

describe('torchvisionNames', () => {
  it('takes off what wrappers put in front and leaves out what no graph uses', () => {
    const names: [string, Shape][] = [...resnet18Start, ['fc.weight', [1]], ['bn1.num_batches_tracked', []]];
    for (const prefix of ['', 'module.', 'model.encoder.']) {
      const wrapped = tensorsOf([
        ...names.map(([name, shape]): [string, Shape] => [prefix + name, shape]),
        ['module.projector.0.weight', [1]],
      ]);
      const renamed = torchvisionNames(wrapped);
      expect([...renamed.keys()].slice(0, 4)).toEqual(resnet18Start.map(([name]) => name));
      expect(renamed.has('fc.weight')).toBe(false);
    }
  });

  it("translates timm's MobileNetV2", () => {
    const timm = tensorsOf([
      ['conv_stem.weight', [32, 3, 3, 3]],
      ['bn1.running_var', [32]],
      ['blocks.0.0.conv_dw.weight', [32, 1, 3, 3]],
      ['blocks.0.0.conv_pw.weight', [16, 32, 1, 1]],
      ['blocks.0.0.bn2.bias', [16]],
      ['blocks.1.1.conv_pwl.weight', [24, 144, 1, 1]],
      ['blocks.3.3.conv_pw.weight', [384, 64, 1, 1]],
      ['blocks.4.0.conv_dw.weight', [384, 1, 3, 3]],
      ['blocks.6.0.bn3.weight', [320]],
      ['conv_head.weight', [1280, 320, 1, 1]],
      ['classifier.weight', [1000, 1280]],
    ]);
    expect([...torchvisionNames(timm).keys()]).toEqual([
      'features.0.0.weight',
      'features.0.1.running_var',
      'features.1.conv.0.0.weight',
      'features.1.conv.1.weight',
      'features.1.conv.2.bias',
      'features.3.conv.2.weight',
      'features.10.conv.0.0.weight',
      'features.11.conv.1.0.weight',
      'features.17.conv.3.weight',
      'features.18.0.weight',
    ]);
    // Every name lands on a tensor of the same shape.
    const shapes = convolutionShapes(mobilenetV2Units(), 'apart');
    for (const [name, { shape }] of torchvisionNames(timm)) expect(shape).toEqual(shapes.get(name));
  });
});

describe('the layout of MobileNetV2', () => {
  it("has the published table's blocks, strides and parameters", () => {
    expect(mobilenetV2Blocks.map(({ output }) => output)).toEqual([
      16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320,
    ]);
    expect(mobilenetV2Blocks.filter(({ stride }) => stride === 2).map(({ index }) => index)).toEqual([2, 4, 7, 14]);
    expect(mobilenetV2Blocks.filter(({ residual }) => residual).map(({ index }) => index)).toEqual([
      3, 5, 6, 8, 9, 10, 12, 13, 15, 16,
    ]);
    const learned = [...convolutionShapes(mobilenetV2Units(), 'apart')].filter(([name]) => !name.includes('running'));
    const parameters = learned.reduce((sum, [, shape]) => sum + shape.reduce((product, size) => product * size, 1), 0);
    // torchvision's mobilenet_v2 has 3,504,872 parameters, 1,281,000 of them in the classifier.
    expect(parameters).toBe(3_504_872 - 1_281_000);
  });

  it('stops where asked', () => {
    const units = mobilenetV2Units(13);
    expect(units.at(-1)?.conv).toBe('features.13.conv.2');
    expect(convolutionShapes(units, 'folded').get('features.13.conv.2.bias')).toEqual([96]);
  });
});

describe('recogniseNetwork', () => {
  const bottleneck = (width: number, blocks: number): Map<string, HostTensor> =>
    tensorsOf([
      ['layer1.0.conv1.weight', [width, 64, 1, 1]],
      ['layer1.0.conv2.weight', [1, width, 1, 1]],
      ['layer1.0.conv3.weight', [256, 1, 1, 1]],
      ...Array.from({ length: blocks }, (_, index): [string, Shape] => [`layer3.${index}.conv1.weight`, [1]]),
    ]);

  it('tells networks apart by names and sizes', () => {
    expect(recogniseNetwork(tensorsOf(resnet18Start))).toBe('resnet18');
    expect(recogniseNetwork(bottleneck(64, 6))).toBe('resnet50');
    expect(recogniseNetwork(bottleneck(128, 6))).toBe('wide-resnet50-2');
    expect(recogniseNetwork(bottleneck(64, 23))).toBeUndefined();
    expect(recogniseNetwork(tensorsOf(convolutionShapes(mobilenetV2Units(), 'folded')))).toBe('mobilenet-v2');
    expect(recogniseNetwork(tensorsOf([['anything', [1]]]))).toBeUndefined();
  });

  it('sees whether batch norms are folded', () => {
    expect(batchNormPlacement(tensorsOf(resnet18Start))).toBe('apart');
    expect(batchNormPlacement(tensorsOf([['conv1.bias', [1]]]))).toBe('folded');
  });
});

describe('checkWeights', () => {
  const expected = new Map<string, Shape>([
    ...resnet18Start,
    ...Array.from({ length: 7 }, (_, index): [string, Shape] => [`layer2.${index}.conv1.weight`, [1]]),
  ]);

  it('is silent when all is there, with more besides', () => {
    expect(() =>
      checkWeights({ tensors: tensorsOf([...expected, ['more', [1]]]) }, expected, 'resnet18', 'w'),
    ).not.toThrow();
  });

  it('counts what is missing or of the wrong shape, and lists five', () => {
    const tensors = tensorsOf([...resnet18Start.slice(1), ['conv1.weight', [2, 3, 7, 7]]]);
    expect(() => checkWeights({ tensors }, expected, 'resnet18', 'w.safetensors')).toThrow(
      'w.safetensors: not the weights of resnet18, 7 tensors missing (layer2.0.conv1.weight, layer2.1.conv1.weight, ' +
        'layer2.2.conv1.weight, layer2.3.conv1.weight, layer2.4.conv1.weight and 2 more) and 1 tensor of the wrong shape ' +
        "(conv1.weight [2, 3, 7, 7] instead of [2, 3, 1, 1]); give complete weights of resnet18 under torchvision's or timm's names",
    );
  });

  it('says which network the weights look like', () => {
    const tensors = tensorsOf(convolutionShapes(mobilenetV2Units(), 'apart'));
    expect(() => checkWeights({ tensors }, expected, 'resnet18', 'w')).toThrow(
      /; these look like weights of mobilenet-v2; give weights of resnet18$/,
    );
  });
});

describe('assertFinite', () => {
  it.each([NaN, Infinity, -Infinity])('names the tensor and the place of %s', (value) => {
    const tensors = new Map([
      ['fine', tensor([2], [3.4e38, -0])],
      ['conv1.weight', tensor([2, 3], [0, 0, 0, 0, value, NaN])],
    ]);
    expect(() => assertFinite(tensors, 'w')).toThrow(`w: tensor conv1.weight holds ${value} at [1, 1]; `);
  });

  it('passes finite tensors', () => {
    expect(() => assertFinite(new Map([['a', tensor([2], [3.4e38, 1e-45])]]), 'w')).not.toThrow();
  });
});

describe('readBackboneWeights', () => {
  const weights: BackboneWeights = {
    network: 'resnet18',
    tensors: tensorsOf(resnet18Start),
    preprocessing: { ...caffePreprocessing, std: [1, 2, 3] },
    variant: { ...torchvisionVariant, padding: 'keras-same', batchNormEpsilon: 1e-3 },
    provenance: 'made for a test',
    licence: 'CC0-1.0',
  };

  it('reads back what was written, with preprocessing and variant', () => {
    const bytes = encodeBackboneWeights(weights);
    const back = readBackboneWeights(bytes, 'file');
    expect({ ...back, tensors: new Map(back.tensors) }).toEqual(weights);
    expect(encodeBackboneWeights({ ...back, provenance: 'made for a test' })).toEqual(bytes);
  });

  it("takes a foreign file for torchvision's unless it says that it is Caffe's", () => {
    const foreign = readBackboneWeights(encodeSafetensors(weights.tensors, { format: 'pt', license: 'MIT' }), 'file');
    expect(foreign.preprocessing).toEqual(imagenetPreprocessing);
    expect(foreign.variant).toEqual(torchvisionVariant);
    expect(foreign.licence).toBe('MIT');
    expect(foreign.provenance).toBe('read from file');
    const caffe = readBackboneWeights(encodeSafetensors(weights.tensors, { arch: 'ResNet v1, Caffe' }), 'file');
    expect(caffe.preprocessing).toEqual(caffePreprocessing);
    expect(caffe.variant.bottleneckStride).toBe('1x1');
    expect(caffe.variant.stemPool).toBe('ceil-no-padding');
  });

  it('refuses a description that makes no sense', () => {
    const file = (text: string): Uint8Array => encodeSafetensors(weights.tensors, { 'tilesight.weights': text });
    expect(() => readBackboneWeights(file('{'), 'file')).toThrow(/description of the weights .* is wrong at the whole/);
    const zero = { ...weights, tensors: undefined, preprocessing: { ...weights.preprocessing, std: [1, 0, 1] } };
    expect(() => readBackboneWeights(file(JSON.stringify(zero)), 'file')).toThrow(
      /is wrong at preprocessing\.std\.1; import/,
    );
  });

  it('refuses a NaN', () => {
    const tensors = new Map([['conv1.weight', tensor([1], [NaN])]]);
    expect(() => readBackboneWeights(encodeSafetensors(tensors), 'file')).toThrow(
      /tensor conv1\.weight holds NaN at \[0\]/,
    );
  });

  it('knows the published files by their headers', ({ skip }) => {
    skip(...absent(sharedFile('weights/resnet50.safetensors')));
    const read = (name: string): BackboneWeights =>
      readBackboneWeights(new Uint8Array(readFileSync(sharedFile(`weights/${name}.safetensors`))), name);
    const resnet18 = read('resnet18');
    expect(resnet18.network).toBe('resnet18');
    expect(resnet18.preprocessing).toEqual(imagenetPreprocessing);
    expect(batchNormPlacement(resnet18.tensors)).toBe('folded');
    const resnet50 = read('resnet50');
    expect(resnet50.network).toBe('resnet50');
    expect(resnet50.preprocessing).toEqual(caffePreprocessing);
    expect(resnet50.variant.bottleneckStride).toBe('1x1');
    const expected = new Map([...resnet50.tensors].map(([name, { shape }]) => [name, shape]));
    expect(() => checkWeights(resnet18, expected, 'resnet50', 'file')).toThrow(/these look like weights of resnet18/);
  });
});
