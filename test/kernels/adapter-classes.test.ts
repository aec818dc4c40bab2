import { describe, expect, it } from 'vitest';
import type { AdapterClass } from '../../src/engine/adapter.js';
import type { Graph, Tensor } from '../../src/engine/graph.js';
import type { HostTensor } from '../../src/engine/tensor.js';
import { concat } from '../../src/kernels/concat.js';
import { add, channelScale } from '../../src/kernels/elementwise.js';
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
});
