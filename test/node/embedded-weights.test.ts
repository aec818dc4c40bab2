import { rm, readFile, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { checkWeights } from '../../src/models/weights/check-weights.js';
import { convolutionShapes, mobilenetV2Units } from '../../src/models/weights/mobilenet-v2-layout.js';
import {
  embeddedMobilenetV2,
  embeddedMobilenetV2Path,
  embeddedMobilenetV2Sha256,
} from '../../src/node/embedded-weights.js';
import { sha256 } from '../../src/node/files.js';

describe('embeddedMobilenetV2', () => {
  it('gives the published weights, converted once into the cache', async () => {
    const { tensors, network, variant } = await embeddedMobilenetV2();
    expect(network).toBe('mobilenet-v2');
    expect(variant.padding).toBe('keras-same');
    checkWeights({ tensors }, convolutionShapes(mobilenetV2Units(), 'apart'), 'mobilenet-v2', 'embedded');
    expect(sha256(await readFile(embeddedMobilenetV2Path()))).toBe(embeddedMobilenetV2Sha256);
    // Values that numpy dequantised out of the package: output 5, row 2, column 1, input 0 of the stem, and so on.
    const value = (name: string, index: number): number => tensors.get(name)?.data[index] ?? NaN;
    expect(value('features.0.0.weight', 5 * 27 + 7)).toBeCloseTo(0.066667564, 8);
    expect(value('features.7.conv.1.0.weight', 100 * 9 + 2)).toBeCloseTo(0.44910347, 7);
    expect(value('features.17.conv.2.weight', 319 * 960 + 959)).toBeCloseTo(-0.01673842, 8);
    expect(value('features.18.1.weight', 1279)).toBeCloseTo(4.844327, 6);
    expect(value('features.1.conv.1.weight', 15 * 32 + 31)).toBeCloseTo(-0.26337013, 7);
  });

  it('makes a damaged or lost file anew', async () => {
    const path = embeddedMobilenetV2Path();
    const bytes = await readFile(path);
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
    await writeFile(path, bytes);
    await embeddedMobilenetV2();
    expect(sha256(await readFile(path))).toBe(embeddedMobilenetV2Sha256);
    await rm(path);
    await embeddedMobilenetV2();
    expect(sha256(await readFile(path))).toBe(embeddedMobilenetV2Sha256);
  });
});
