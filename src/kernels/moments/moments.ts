import type { Graph, Operator, Tensor } from '../../engine/graph.js';
import { foldWorkgroups } from '../../engine/kernel.js';
import { packedTriangle, positionChunks } from '../position-chunks.js';
import { wrong } from '../shapes.js';
import accumulateSource from './accumulate.wgsl';
import advanceSource from './advance.wgsl';
import centreSource from './centre.wgsl';

/** Running statistics of P positions, as parameters of the graph that start as zeros and are updated in place. */
export interface Moments {
  /** `[P, d]`. */
  readonly mean: Tensor;
  /** Σ (x − mean)(x − mean)ᵀ over the images seen: `[P, d(d+1)/2]`, lower triangles packed row by row. */
  readonly comoment: Tensor;
  /** Number of images seen, `[1]`. */
  readonly seen: Tensor;
}

/** Threads a workgroup of the kernels. */
const lanes = 64;

const momentsOperator: Operator = {
  name: 'moments',
  lower(node, lowering) {
    const [features, valid, mean, comoment, seen] = node.inputs;
    const [batch, positions, dimensions] = features?.shape ?? [];
    if (!features || !valid || !mean || !comoment || !seen || !batch || !positions || !dimensions) {
      throw new Error('moments wants features, a count, mean, co-moment and the number seen');
    }
    const limit = lowering.adapter.limits.maxComputeWorkgroupsPerDimension;
    const vectors = Math.ceil(dimensions / 4);
    const rowsBytes = (batch + 1) * vectors * 16;
    const blocks = packedTriangle(vectors);
    const chunks = positionChunks(comoment, lowering.adapter, rowsBytes);
    const rows = lowering.temporary('centred features', [chunks[0]?.count ?? 1, batch + 1, vectors * 4]);
    for (const { first, count, view, skip } of chunks) {
      lowering.dispatch({
        kernel: { name: 'moments/centre', source: centreSource },
        bindings: [features, valid, seen, mean, rows],
        parameters: { batch, positions, dimensions, width: vectors * 4, first, count },
        workgroups: foldWorkgroups(Math.ceil((count * vectors * 4) / lanes), limit),
        flops: 4 * count * dimensions * batch,
      });
      lowering.dispatch({
        kernel: { name: 'moments/accumulate', source: accumulateSource },
        bindings: [rows, view],
        parameters: {
          count,
          rows: batch + 1,
          dimensions,
          vectors,
          blocks,
          triangle: packedTriangle(dimensions),
          skip,
        },
        workgroups: foldWorkgroups(Math.ceil((count * blocks) / lanes), limit),
        flops: 2 * count * (batch + 1) * packedTriangle(dimensions),
      });
    }
    lowering.dispatch({
      kernel: { name: 'moments/advance', source: advanceSource },
      bindings: [valid, seen],
      parameters: { batch },
      workgroups: [1, 1, 1],
    });
  },
};

/**
 * Adds a batch to the running mean and co-moment of every position, in place, by the pairwise update of Chan, Golub and
 * LeVeque (1979): the values are centred on the batch's own mean first, so nothing cancels however large the mean is.
 * Positions are processed in runs that fit a binding; the result does not depend on the runs.
 *
 * Error, per element and relative to Σ|xᵢ − m||xⱼ − m|: about (B + 2 + number of batches)·2⁻²⁴.
 *
 * @param features `[B, P, d]`.
 * @param valid `[1]`, f32: how many leading images of the batch count; the others may hold anything finite or not.
 */
export function updateMoments(graph: Graph, features: Tensor, valid: Tensor, moments: Moments): void {
  const [, positions, dimensions] = features.shape;
  const { mean, comoment, seen } = moments;
  if (features.shape.length !== 3 || !positions || !dimensions) {
    throw wrong('moments', `wants features [images, positions, dimensions], got [${features.shape.join(', ')}]`);
  }
  const fits = (tensor: Tensor, size: number): boolean =>
    tensor.shape.length === 2 && tensor.shape[0] === positions && tensor.shape[1] === size;
  if (!fits(mean, dimensions) || !fits(comoment, packedTriangle(dimensions))) {
    throw wrong(
      'moments',
      `mean [${mean.shape.join(', ')}] and co-moment [${comoment.shape.join(', ')}] do not fit ` +
        `${positions} positions of ${dimensions} dimensions`,
    );
  }
  graph.add(momentsOperator, [features, valid, mean, comoment, seen], undefined, [], [mean, comoment, seen]);
}
