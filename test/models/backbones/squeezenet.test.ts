import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compile } from '../../../src/engine/plan.js';
import { Program } from '../../../src/engine/program.js';
import type { HostTensor } from '../../../src/engine/tensor.js';
import { decodeNpy } from '../../../src/models/weights/npy.js';
import { testGpu } from '../../gpu.js';
import { squeezenet } from '../../reference/squeezenet.js';
import { absent, sharedFile } from '../weights/shared-files.js';

const folder = sharedFile('weights/squeezenet1.1');
const read = (path: string): HostTensor => decodeNpy(new Uint8Array(readFileSync(`${folder}/${path}.npy`)), path);

describe('SqueezeNet 1.1', () => {
  it('reproduces three vectors of an independent implementation', async ({ skip }) => {
    skip(...absent(folder));
    const gpu = await testGpu();
    const { graph, image, logits } = squeezenet((name) => read(`weights/${name}`));
    const program = await Program.create(gpu, compile(graph, { adapter: gpu.profile }));
    try {
      for (const vector of [0, 1, 2]) {
        const input = read(`test_data_set/${vector}/input_0`);
        const expected = read(`test_data_set/${vector}/output_0`).data;
        // NCHW to NHWC.
        const pixels = new Float32Array(input.data.length).map(
          (_, index) => input.data[(index % 3) * 224 * 224 + Math.floor(index / 3)] ?? NaN,
        );
        const result = (await program.execute(new Map([[image, pixels]]))).get(logits);
        const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        expect(result?.length).toBe(1000);
        expected.forEach((value, index) => {
          expect(Math.abs((result?.[index] ?? NaN) - value) / largest).toBeLessThan(1e-3);
        });
        const best = (values: Float32Array): number => values.indexOf(Math.max(...values));
        expect(result && best(result)).toBe(best(expected));
      }
    } finally {
      program.destroy();
    }
  });
});
