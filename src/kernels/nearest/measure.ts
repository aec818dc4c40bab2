import type { BufferView, Lowering, Tensor } from '../../engine/graph.js';
import { foldWorkgroups } from '../../engine/kernel.js';
import finishSource from './finish.wgsl';
import measureSource from './measure.wgsl';
import type { BoundBank } from './prepare.js';
import refineSource from './refine.wgsl';
import { rowView } from './row-chunks.js';
import { bankSource, rowSums } from './sources.js';
import squareSource from './square-between.wgsl';

/** Listed rows of a bank whose distances are to be measured, and where the nearest go. */
export interface Measurement {
  /** `[count, d]`. */
  readonly queries: BufferView;
  readonly bank: BoundBank;
  /** `[list, count]` row numbers, and room for as many squared distances. */
  readonly lists: Tensor;
  readonly squares: Tensor;
  /** `[count, k]` each. */
  readonly distances: BufferView;
  readonly neighbours: BufferView;
  readonly count: number;
  readonly list: number;
  readonly k: number;
}

/** Measures the members of each list by the differences themselves and gives the `k` nearest of them in order. */
export function measure(lowering: Lowering, measurement: Measurement): void {
  const { queries, lists, squares, distances, neighbours, count, list, k } = measurement;
  const { tensor, type, rowBytes, chunks } = measurement.bank;
  const [rows = 0, elements = 0] = tensor.shape;
  const vectors = elements / 4;
  const { adapter } = lowering;
  const sums = rowSums(adapter);
  const fold = (threads: number): readonly [number, number, number] =>
    foldWorkgroups(Math.ceil(threads / 64), adapter.limits.maxComputeWorkgroupsPerDimension);
  const sources = [bankSource[type], sums.source, squareSource];
  const members = Math.min(list, rows);
  const flops = 3 * count * list * elements;
  if (adapter.class === 'hardware' && chunks.length === 1) {
    lowering.dispatch({
      kernel: { name: `nearest/measure-${type}`, source: [...sources, measureSource].join('\n') },
      bindings: [queries, tensor, lists, distances, neighbours],
      parameters: { queries: count, members, neighbours: k, vectors },
      workgroups: [count, 1, 1],
      flops,
    });
    return;
  }
  for (const chunk of chunks) {
    lowering.dispatch({
      kernel: { name: `nearest/refine-${type}`, source: [...sources, refineSource].join('\n') },
      bindings: [queries, rowView(tensor, chunk, rowBytes), lists, squares],
      parameters: { queries: count, members: count * list, vectors, rows: chunk.count, first_row: chunk.first },
      workgroups: fold(count * list * sums.lanes),
      flops: flops / chunks.length,
    });
  }
  lowering.dispatch({
    kernel: { name: 'nearest/finish', source: finishSource },
    bindings: [squares, lists, distances, neighbours],
    parameters: { queries: count, members, neighbours: k },
    workgroups: fold(count),
  });
}
