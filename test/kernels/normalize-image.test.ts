import { describe, expect, it } from 'vitest';
import type { AdapterClass } from '../../src/engine/adapter.js';
import { Graph, type Tensor } from '../../src/engine/graph.js';
import { normalizeImage } from '../../src/kernels/normalize-image.js';
import { testGpu } from '../gpu.js';
import { array64 } from '../reference/array64.js';
import naive from '../reference/normalize-image-naive.wgsl';
import { normalizeImageReference } from '../reference/normalize-image.js';
import { twin } from '../reference/twin.js';
import { expectWithin, randomTensor, runOperator } from './harness.js';

const mean = [0.485, 0.456, 0.406] as const;
const std = [0.229, 0.224, 0.225] as const;

describe('normalizeImage', () => {
  for (const channelOrder of ['rgb', 'bgr'] as const) {
    for (const shape of [
      [1, 1, 1, 3],
      [2, 5, 7, 3],
      [3, 4, 4, 3],
      [1, 1, 19, 3],
    ]) {
      it(`[${shape.join(', ')}], ${channelOrder}`, async () => {
        const gpu = await testGpu();
        const host = randomTensor(shape, 1);
        host.data.forEach((value, index) => (host.data[index] = Math.floor((value + 1) * 128)));
        const options = { mean, std, scale: 1 / 255, channelOrder };
        const values = normalizeImageReference(array64(host), options).data;
        const parameters = {
          reverse: channelOrder === 'bgr' ? 1 : 0,
          scale: 1 / 255,
          ...Object.fromEntries(mean.map((value, index) => [`mean${index}`, value])),
          ...Object.fromEntries(std.map((value, index) => [`std${index}`, value])),
        };
        const results = await runOperator(gpu, [], (graph: Graph): Tensor[] => {
          const pixels = graph.parameter('pixels', shape, { dtype: 'u8x4', contents: () => host });
          return [
            normalizeImage(graph, pixels, options),
            twin(graph, 'normalize-image', naive, [pixels], parameters, shape),
          ];
        });
        // Products of up to 1/0.224 less sums of up to 0.485/0.229: a few roundings of numbers below 7.
        const bounds = values.map(() => 4 * 7 * 2 ** -24);
        for (const result of results) expectWithin(result.data, { values, bounds });
      });
    }
  }

  it('leaves no element of many images out on hardware', async () => {
    const gpu = await testGpu();
    const host = randomTensor([1, 1, 1_398_143, 3], 1);
    host.data.forEach((value, index) => (host.data[index] = Math.floor((value + 1) * 128)));
    const options = { mean, std, channelOrder: 'bgr' as const };
    const run = async (adapterClass: AdapterClass): Promise<Float32Array> => {
      const adapter = { ...gpu.profile, class: adapterClass };
      const build = (graph: Graph): Tensor[] => {
        const pixels = graph.parameter('pixels', host.shape, { dtype: 'u8x4', contents: () => host });
        return [normalizeImage(graph, pixels, options)];
      };
      const [result] = await runOperator(gpu, [], build, { adapter });
      return result?.data ?? new Float32Array();
    };
    expect(Buffer.from((await run('hardware')).buffer).equals(Buffer.from((await run('lavapipe')).buffer))).toBe(true);
  });

  it('refuses what is not an image of 8-bit RGB', () => {
    const graph = new Graph('test');
    const grey = graph.input('grey', [1, 4, 4, 1], 'u8x4');
    const floats = graph.input('floats', [1, 4, 4, 3]);
    expect(() => normalizeImage(graph, grey, { mean, std })).toThrow(/3 channels of u8x4, got 1/);
    expect(() => normalizeImage(graph, floats, { mean, std })).toThrow(/got 3 of f32/);
    const pixels = graph.input('pixels', [1, 4, 4, 3], 'u8x4');
    expect(() => normalizeImage(graph, pixels, { mean, std: [1, 0, 1] })).toThrow(/positive standard deviation/);
  });
});
