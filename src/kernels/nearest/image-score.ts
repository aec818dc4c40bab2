import { foldWorkgroups } from '../../engine/kernel.js';
import type { Graph, Operator, Tensor } from '../../engine/graph.js';
import { bytesPerElement } from '../../engine/tensor.js';
import { argmax } from '../argmax.js';
import gatherSource from './gather-rows.wgsl';
import scoreSource from './image-score.wgsl';
import { maximumNeighbours, nearest } from './nearest.js';
import pickSource from './pick-number.wgsl';
import { rowChunks, rowView } from './row-chunks.js';
import { bankSource } from './sources.js';

const gatherRowsOperator: Operator<undefined> = {
  name: 'gather-rows',
  lower(node, lowering) {
    const [matrix, list] = node.inputs;
    const [result] = node.outputs;
    if (!matrix || !list || !result) throw new Error('gather-rows wants a matrix and a list');
    const [rows = 0, elements = 0] = matrix.shape;
    const [listed = 0] = result.shape;
    const { limits } = lowering.adapter;
    const type = matrix.dtype === 'f16' ? 'f16' : 'f32';
    const rowBytes = elements * bytesPerElement(type);
    for (const chunk of rowChunks(rows, rowBytes, limits.maxStorageBufferBindingSize, 'gather-rows')) {
      lowering.dispatch({
        kernel: { name: `nearest/gather-rows-${type}`, source: `${bankSource[type]}\n${gatherSource}` },
        bindings: [rowView(matrix, chunk, rowBytes), list, result],
        parameters: { listed, vectors: elements / 4, rows: chunk.count, first_row: chunk.first },
        workgroups: foldWorkgroups(Math.ceil((listed * elements) / 4 / 64), limits.maxComputeWorkgroupsPerDimension),
      });
    }
  },
};

/**
 * The listed rows of a matrix.
 *
 * @param matrix `[N, d]`, f32 or f16, `d` a multiple of 4.
 * @param list u32 row numbers, any shape of `count` elements.
 * @returns `[count, d]` f32.
 */
export function gatherRows(graph: Graph, matrix: Tensor, list: Tensor, count: number): Tensor {
  return graph.apply(gatherRowsOperator, [matrix, list], undefined, [count, matrix.shape[1] ?? 0]);
}

const pickNumberOperator: Operator<undefined> = {
  name: 'pick-number',
  lower(node, lowering) {
    lowering.dispatch({
      kernel: { name: 'nearest/pick-number', source: pickSource },
      bindings: [...node.inputs, ...node.outputs],
      parameters: {},
      workgroups: [1, 1, 1],
    });
  },
};

const imageScoreOperator: Operator<undefined> = {
  name: 'image-score',
  lower(node, lowering) {
    const support = node.inputs[1];
    const [rows = 0, elements = 0] = support?.shape ?? [];
    lowering.dispatch({
      kernel: { name: 'nearest/image-score', source: scoreSource },
      bindings: [...node.inputs, ...node.outputs],
      parameters: { rows, vectors: elements / 4 },
      workgroups: [1, 1, 1],
      flops: 3 * rows * elements,
    });
  },
};

/**
 * PatchCore's reweighted image score, all on the device: the largest patch distance times 1 − softmax of the distances from
 * that patch to the `neighbours` bank rows nearest to its own nearest row, taken at that row.
 *
 * @param patches `[P, d]`, and their `distances [P, 1]` and `indices [P, 1]` in the bank.
 * @param neighbours 2 to 16, at most the rows of the bank.
 * @returns `[1]`.
 */
export function imageScore(
  graph: Graph,
  patches: Tensor,
  found: { readonly distances: Tensor; readonly indices: Tensor },
  bank: Tensor,
  neighbours: number,
): Tensor {
  if (neighbours > maximumNeighbours) throw new Error(`image-score: ${neighbours} neighbours`);
  const [count = 0] = patches.shape;
  const { value, index } = argmax(graph, graph.reshape(found.distances, [1, count]));
  const patch = gatherRows(graph, patches, index, 1);
  const nearestRow = graph.apply(pickNumberOperator, [found.indices, index], undefined, [1], 'u32');
  const around = nearest(graph, gatherRows(graph, bank, nearestRow, 1), bank, { k: neighbours });
  const support = gatherRows(graph, bank, around.indices, neighbours);
  return graph.apply(imageScoreOperator, [patch, support, value], undefined, [1]);
}
