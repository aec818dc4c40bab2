import { describe, expect, it } from 'vitest';
import { Graph } from '../../src/engine/graph.js';
import { smoothSeams, type Strips } from '../../src/kernels/smooth-seams.js';
import { testGpu } from '../gpu.js';
import { array64, exact } from '../reference/array64.js';
import naive from '../reference/smooth-seams-naive.wgsl';
import { smoothSeamsReference } from '../reference/smooth-seams.js';
import { twin } from '../reference/twin.js';
import { only, testCases, type KernelCase } from './cases.js';
import { expectWithin, randomTensor, runOperator } from './harness.js';

function smoothing(shape: readonly number[], row: Strips[number], column: Strips[number]): KernelCase {
  const inputs = [randomTensor(shape, 1), randomTensor(shape, 2)];
  const strips = { rows: [row], columns: [column] };
  const [map, blurred] = inputs.map((host) => array64({ shape: [...shape, 1], data: host.data }));
  if (!map || !blurred) throw new Error('no maps');
  const [, height = 0, width = 0] = shape;
  const parameters = { height, width, rowStart: row[0], rowEnd: row[1], columnStart: column[0], columnEnd: column[1] };
  return {
    name: `[${shape.join(', ')}], rows ${row.join('–')}, columns ${column.join('–')}`,
    inputs,
    kernel: (graph, tensors) => smoothSeams(graph, only(tensors), only(tensors.slice(1)), strips),
    twin: (graph, tensors) => twin(graph, 'smooth-seams', naive, tensors, parameters, shape),
    reference: exact(smoothSeamsReference(map, blurred, strips)),
    shape,
  };
}

describe('smoothSeams', () => {
  testCases([
    smoothing([1, 1, 1], [0, 1], [5, 6]),
    smoothing([2, 16, 16], [6, 10], [6, 10]),
    // A strip that begins before the map keeps what lies inside of it.
    smoothing([2, 7, 13], [-3, 2], [11, 20]),
    smoothing([1, 5, 3], [-5, -1], [3, 4]),
  ]);

  it('takes several strips and channels', async () => {
    const gpu = await testGpu();
    const inputs = [randomTensor([1, 9, 11, 2], 1), randomTensor([1, 9, 11, 2], 2)];
    const strips: { rows: Strips; columns: Strips } = {
      rows: [
        [1, 2],
        [5, 7],
      ],
      columns: [
        [0, 1],
        [3, 4],
        [8, 11],
      ],
    };
    const [result] = await runOperator(gpu, inputs, (graph, tensors) => [
      smoothSeams(graph, only(tensors), only(tensors.slice(1)), strips),
    ]);
    const [map, blurred] = inputs.map(array64);
    if (!map || !blurred) throw new Error('no maps');
    expectWithin(result?.data ?? new Float32Array(), exact(smoothSeamsReference(map, blurred, strips)));
  });

  it('refuses maps of different sizes', () => {
    const graph = new Graph('test');
    const [a, b] = [graph.input('a', [1, 4, 4]), graph.input('b', [1, 4, 5])];
    expect(() => smoothSeams(graph, a, b, { rows: [], columns: [] })).toThrow(/\[1, 4, 4\] and \[1, 4, 5\] differ/);
  });
});
