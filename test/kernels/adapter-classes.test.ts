import { describe, expect, it } from 'vitest';
import type { AdapterClass } from '../../src/engine/adapter.js';
import type { Graph, Tensor } from '../../src/engine/graph.js';
import type { HostTensor } from '../../src/engine/tensor.js';
import { concat } from '../../src/kernels/concat.js';
import { add, channelScale, relu } from '../../src/kernels/elementwise.js';
import { matmul } from '../../src/kernels/matmul/matmul.js';
import { pool2d } from '../../src/kernels/pool2d.js';
import { resize2d } from '../../src/kernels/resize2d.js';
import { testGpu } from '../gpu.js';
import { randomTensor, runOperator } from './harness.js';

const size = { height: 19, width: 12 };

/** Operators that give a thread more or less work by the class of the adapter. */
function build(graph: Graph, [features, map, scale]: readonly Tensor[]): Tensor[] {
  if (!features || !map || !scale) throw new Error('too few inputs');
  return [
    concat(graph, [features, map]),
    add(graph, features, features),
    channelScale(graph, features, scale),
    resize2d(graph, features, { ...size, mode: 'bilinear' }),
    resize2d(graph, map, { ...size, mode: 'nearest' }),
    resize2d(graph, map, { height: 5, width: 3, mode: 'bilinear', antialias: true }),
    pool2d(graph, features, { mode: 'max', kernel: 3, stride: 2, padding: 1 }),
  ];
}

describe('work a thread', () => {
  it('changes no bit of a result', async () => {
    const gpu = await testGpu();
    const inputs = [randomTensor([2, 9, 7, 4], 1), randomTensor([2, 9, 7, 1], 2), randomTensor([4], 3)];
    const run = (adapterClass: AdapterClass): Promise<HostTensor[]> =>
      runOperator(gpu, inputs, build, { adapter: { ...gpu.profile, class: adapterClass } });
    expect(await run('hardware')).toEqual(await run('lavapipe'));
  });

  it('leaves no element of a large tensor out', async () => {
    const gpu = await testGpu();
    const input = randomTensor([2 ** 22 + 129], 1);
    const [result] = await runOperator(gpu, [input], (graph, [x]) => (x ? [relu(graph, x)] : []), {
      adapter: { ...gpu.profile, class: 'hardware' },
    });
    expect(input.data.findIndex((value, index) => result?.data[index] !== Math.max(value, 0))).toBe(-1);
  });
});

describe('the tile of a workgroup in products through workgroup memory', () => {
  // Rows for so many workgroups that hardware takes 8 × 8, and with few columns 8 × 4 a thread; the last ones are cut off.
  for (const [rows, columns] of [
    [36_001, 100],
    [36_001, 58],
    [65, 68],
  ] as const) {
    it(`changes no bit of ${rows} × 19 × ${columns}`, async () => {
      const gpu = await testGpu();
      const inputs = [randomTensor([rows, 19], 1), randomTensor([19, columns], 2)];
      const run = (adapterClass: AdapterClass): Promise<HostTensor[]> =>
        runOperator(gpu, inputs, (graph, [a, b]) => (a && b ? [matmul(graph, a, b)] : []), {
          adapter: { ...gpu.profile, class: adapterClass },
          kernels: { matmul: 'shared' },
        });
      const bytes = async (adapterClass: AdapterClass): Promise<Buffer> =>
        Buffer.from((await run(adapterClass))[0]?.data.slice().buffer ?? new ArrayBuffer(0));
      expect((await bytes('hardware')).equals(await bytes('lavapipe'))).toBe(true);
    });
  }
});
