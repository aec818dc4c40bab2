import type { Graph, Operator, Tensor } from '../../engine/graph.js';
import source from './project.wgsl';
import { rangeView, rowRanges, type RowSet } from './rows.js';

/** A sparse matrix of equal weights ±scale: the entries of its rows behind each other. */
export interface SparseProjection {
  /** Elements of a projected row, a multiple of 4. */
  readonly size: number;
  /** `[size + 1]` u32: where each row's entries begin, and the end. */
  readonly starts: Tensor;
  /** u32: column · 2, + 1 where the weight is negative. */
  readonly entries: Tensor;
  readonly scale: number;
}

interface ProjectAttributes {
  readonly rows: RowSet;
  readonly projected: RowSet;
  readonly scale: number;
}

const projectOperator: Operator<ProjectAttributes> = {
  name: 'project',
  lower(node, lowering) {
    const [starts, entries] = node.inputs;
    const { rows, projected, scale } = node.attributes;
    if (!starts || !entries) throw new Error('project wants a projection');
    for (const range of rowRanges([rows, projected], lowering.adapter)) {
      lowering.dispatch({
        kernel: { name: 'coreset/project', source },
        bindings: [rangeView(rows, range), starts, entries, rangeView(projected, range)],
        parameters: { points: range.count, elements: rows.elements, vectors: projected.elements / 4, scale },
        workgroups: [Math.ceil(range.count / 64), projected.elements / 4, 1],
      });
    }
  },
};

/**
 * Projects the rows of a matrix and writes them as blocks of 64 points, as the k-centre reads them.
 *
 * @param projected as many rows of `projection.size` elements; updated in place.
 */
export function project(graph: Graph, rows: RowSet, projection: SparseProjection, projected: RowSet): void {
  if (projected.rows !== rows.rows || projected.elements !== projection.size || projection.size % 4 !== 0) {
    throw new Error(`project: ${rows.rows} rows to ${projected.rows} of ${projected.elements}`);
  }
  const { starts, entries, scale } = projection;
  graph.add(
    projectOperator,
    [starts, entries, ...rows.tensors, ...projected.tensors],
    { rows, projected, scale },
    [],
    projected.tensors,
  );
}
