import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { importWeights, type WeightFile } from '../../../src/models/weights/import-weights.js';
import {
  caffePreprocessing,
  imagenetPreprocessing,
  readBackboneWeights,
  torchvisionVariant,
} from '../../../src/models/weights/network-weights.js';
import { encodeSafetensors } from '../../../src/models/weights/safetensors.js';
import { foreignFile } from './foreign-files.js';
import { dataOf, tensor } from './handmade.js';
import { absent, sharedFile } from './shared-files.js';

const file = (name: string, bytes: Uint8Array): WeightFile => ({ name, bytes });

describe('importWeights', () => {
  it('converts a foreign safetensors file to canonical names, once and for all', () => {
    const foreign = encodeSafetensors(
      new Map([
        ['module.conv1.weight', tensor([1, 1, 1, 1], [2])],
        ['module.layer1.0.conv1.weight', tensor([1], [3])],
        ['module.fc.weight', tensor([1], [4])],
      ]),
    );
    const { bytes, weights } = importWeights({
      files: [file('a.safetensors', foreign)],
      description: { licence: 'MIT' },
    });
    expect([...weights.tensors.keys()]).toEqual(['conv1.weight', 'layer1.0.conv1.weight']);
    expect(weights.preprocessing).toEqual(imagenetPreprocessing);
    const back = readBackboneWeights(bytes, 'again');
    expect(back).toMatchObject({ network: 'resnet18', licence: 'MIT', variant: torchvisionVariant });
    expect(importWeights({ files: [file('b.safetensors', bytes)] }).bytes).toEqual(bytes);
  });

  it('lets the user say what the file does not', () => {
    const foreign = encodeSafetensors(new Map([['layer1.0.conv1.weight', tensor([1], [1])]]));
    const description = { preprocessing: caffePreprocessing, provenance: 'from a colleague' };
    const { bytes } = importWeights({ files: [file('a.safetensors', foreign)], description });
    expect(readBackboneWeights(bytes, 'file')).toMatchObject(description);
  });

  it('gives the numbered weights of an ONNX model their names back', () => {
    const { weights, skipped } = importWeights({ files: [file('net.onnx', foreignFile('onnx'))] });
    expect([...dataOf(weights.tensors, 'layer1.0.conv1.weight')]).toEqual([0, 1, 2, 3, 4, 5]);
    expect([...dataOf(weights.tensors, 'layer1.0.conv1.bias')]).toEqual([0.5, -0.5]);
    expect([...dataOf(weights.tensors, 'layer2.0.downsample.0.bias')]).toEqual([2, 3]);
    expect(weights.tensors.has('onnx::Conv_193')).toBe(false);
    expect(skipped).toEqual(['ends (int64)']);
  });

  it('names the tensors of a folder of .npy files by the files', () => {
    const { weights } = importWeights({
      files: [
        file('weights/layer1_0_conv1_weight.npy', foreignFile('npyFloat')),
        file('weights/bn1_running_mean.npy', foreignFile('npyInt64')),
        file('weights/conv1.weight.npy', foreignFile('npyFortran')),
      ],
    });
    expect([...weights.tensors.keys()]).toEqual(['layer1.0.conv1.weight', 'bn1.running_mean', 'conv1.weight']);
    expect(weights.provenance).toBe('read from 3 .npy files');
  });

  it.each([
    ['nothing', [], /^no weights to import: give /],
    [
      'a PyTorch checkpoint',
      [file('a.pth', Uint8Array.of(0x50, 0x4b, 3, 4, 0))],
      /^a\.pth: a zip archive .*; save its state_dict/,
    ],
    ['text', [file('a.txt', new TextEncoder().encode('hello, weights'))], /^a\.txt: not a safetensors file/],
    [
      'a mixed folder',
      [file('a.npy', foreignFile('npyFloat')), file('readme.txt', new Uint8Array(3))],
      /^readme\.txt: not a \.npy file among/,
    ],
    [
      'two files for one tensor',
      [file('a/w.npy', foreignFile('npyFloat')), file('b/w.npy', foreignFile('npyFloat'))],
      /^b\/w\.npy: a second file for the tensor w;/,
    ],
  ])('refuses %s in one line', (_, files, message) => {
    expect(() => importWeights({ files })).toThrow(
      expect.objectContaining({
        name: 'TilesightError',
        kind: 'input',
        message: expect.stringMatching(message) as string,
      }) as Error,
    );
  });

  const folder = sharedFile('weights/squeezenet1.1/weights');
  it('reads a published folder of .npy files whole', ({ skip }) => {
    skip(...absent(folder));
    const files = readdirSync(folder).map((name) => file(name, new Uint8Array(readFileSync(`${folder}/${name}`))));
    const { weights, bytes } = importWeights({ files });
    expect(weights.network).toBeUndefined();
    expect(weights.tensors.size).toBe(52);
    expect(readBackboneWeights(bytes, 'again').tensors.get('squeezenet0.conv0.weight')?.shape).toEqual([64, 3, 3, 3]);
  });
});
