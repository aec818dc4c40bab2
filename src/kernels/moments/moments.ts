import type { BufferView, Graph, Lowering, Operator, Tensor, Variant } from '../../engine/graph.js';
import { foldWorkgroups } from '../../engine/kernel.js';
import { packedTriangle, positionChunks } from '../position-chunks.js';
import { wrong } from '../shapes.js';
import { unroll } from '../unroll.js';
import columnsSource from './accumulate-columns.wgsl';
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

/** One addition of prepared rows to the co-moments of a run of positions. */
interface Accumulation {
  readonly lowering: Lowering;
  /** `[count, batch + 1, width]`, channels padded to `width`. */
  readonly rows: Tensor;
  readonly comoment: BufferView;
  readonly batch: number;
  readonly dimensions: number;
  readonly count: number;
  readonly skip: number;
}

interface MomentsVariant extends Variant {
  readonly applies: (batch: number) => boolean;
  readonly lower: (accumulation: Accumulation) => void;
}

/** The ways to add the outer products: a block of 4 × 4 a thread, and a column a thread. */
export const momentsVariants: readonly MomentsVariant[] = [
  { name: 'blocks', applies: () => true, lower: lowerBlocks },
  // More rows fit neither the registers nor the workgroup memory that every device has.
  { name: 'columns', applies: (batch) => batch + 1 <= 64, lower: lowerColumns },
];

function lowerBlocks({ lowering, rows, comoment, batch, dimensions, count, skip }: Accumulation): void {
  const vectors = Math.ceil(dimensions / 4);
  const blocks = packedTriangle(vectors);
  const triangle = packedTriangle(dimensions);
  lowering.dispatch({
    kernel: { name: 'moments/accumulate', source: accumulateSource },
    bindings: [rows, comoment],
    parameters: { count, rows: batch + 1, dimensions, vectors, blocks, triangle, skip },
    workgroups: foldWorkgroups(
      Math.ceil((count * blocks) / lanes),
      lowering.adapter.limits.maxComputeWorkgroupsPerDimension,
    ),
    flops: 2 * count * (batch + 1) * triangle,
  });
}

function lowerColumns({ lowering, rows, comoment, batch, dimensions, count, skip }: Accumulation): void {
  const constants = { VECTORS: Math.ceil((batch + 1) / 4) };
  const triangle = packedTriangle(dimensions);
  lowering.dispatch({
    kernel: {
      name: `moments/accumulate-columns-${constants.VECTORS}`,
      source: unroll(columnsSource, constants),
      constants,
    },
    bindings: [rows, comoment],
    parameters: { count, rows: batch + 1, dimensions, width: Math.ceil(dimensions / 4) * 4, triangle, skip },
    workgroups: foldWorkgroups(count, lowering.adapter.limits.maxComputeWorkgroupsPerDimension),
    flops: 2 * count * (batch + 1) * triangle,
  });
}

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
    const chunks = positionChunks(comoment, lowering.adapter, rowsBytes);
    const rows = lowering.temporary('centred features', [chunks[0]?.count ?? 1, batch + 1, vectors * 4]);
    const possible = momentsVariants.filter((one) => one.applies(batch));
    const preferred = lowering.adapter.class === 'hardware' ? possible.at(-1) : possible[0];
    if (!preferred) throw new Error('moments has no variant');
    const variant = lowering.choose('moments', `${batch}x${positions}x${dimensions}`, possible, preferred);
    for (const { first, count, view, skip } of chunks) {
      lowering.dispatch({
        kernel: { name: 'moments/centre', source: centreSource },
        bindings: [features, valid, seen, mean, rows],
        parameters: { batch, positions, dimensions, width: vectors * 4, first, count },
        workgroups: foldWorkgroups(Math.ceil((count * vectors * 4) / lanes), limit),
        flops: 4 * count * dimensions * batch,
      });
      variant.lower({ lowering, rows, comoment: view, batch, dimensions, count, skip });
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
