import type { Graph, Lowering, Operator, Tensor, Variant } from '../../engine/graph.js';
import { foldWorkgroups } from '../../engine/kernel.js';
import { packedTriangle, positionChunks } from '../position-chunks.js';
import { wrong } from '../shapes.js';
import laneSource from './lane.wgsl';
import workgroupSource from './workgroup.wgsl';

interface CholeskyVariant extends Variant {
  readonly source: string;
  /** Positions a workgroup. */
  readonly positions: number;
}

/** One thread a position (software adapters), or one workgroup a position (hardware). */
const variants = [
  { name: 'lane', source: laneSource, positions: 16 },
  { name: 'workgroup', source: workgroupSource, positions: 1 },
] as const satisfies readonly CholeskyVariant[];

/** Attributes of the operator. */
interface CholeskyAttributes {
  readonly dimensions: number;
  readonly ridge: number;
}

const choleskyOperator: Operator<CholeskyAttributes> = {
  name: 'cholesky-inverse',
  lower(node, lowering) {
    const [comoment, seen] = node.inputs;
    const { dimensions, ridge } = node.attributes;
    if (!comoment || !seen) throw new Error('cholesky-inverse wants a co-moment and the number of images behind it');
    const variant = chooseVariant(lowering, dimensions);
    const triangle = packedTriangle(dimensions);
    for (const { count, view, skip } of positionChunks(comoment, lowering.adapter)) {
      lowering.dispatch({
        kernel: { name: `cholesky-inverse/${variant.name}`, source: variant.source },
        bindings: [view, seen],
        parameters: { count, dimensions, triangle, skip, ridge },
        workgroups: foldWorkgroups(
          Math.ceil(count / variant.positions),
          lowering.adapter.limits.maxComputeWorkgroupsPerDimension,
        ),
        flops: (count * 2 * dimensions ** 3) / 3,
      });
    }
  },
};

function chooseVariant(lowering: Lowering, dimensions: number): CholeskyVariant {
  const preferred = lowering.adapter.class === 'hardware' ? variants[1] : variants[0];
  return lowering.choose<CholeskyVariant>('cholesky-inverse', String(dimensions), variants, preferred);
}

/**
 * Turns the co-moments of P positions into whitening factors, in place: Σ = comoment / max(seen − 1, 1) + ridge·I = LLᵀ
 * and W = L⁻¹, so that the squared Mahalanobis distance of x is |W(x − μ)|². Both triangles are packed row by row.
 * Positions are processed in runs that fit a binding; every position is computed alike.
 *
 * Error in f32: the backward error of a factor is d·2⁻²⁴·Σ, so |W(x − μ)| is off by at most about d·κ(Σ)·2⁻²⁴ of itself,
 * where κ ≤ λmax/ridge + 1; in practice far less. A Σ that is not positive definite in f32 gives NaN, for the host to find.
 *
 * @param comoment parameter `[P, d(d+1)/2]`; holds W afterwards.
 * @param seen `[1]`: number of images behind the co-moment.
 * @param ridge added to the diagonal, positive.
 */
export function choleskyInverse(graph: Graph, comoment: Tensor, seen: Tensor, ridge: number): void {
  const [positions, triangle = 0] = comoment.shape;
  const dimensions = Math.round((Math.sqrt(8 * triangle + 1) - 1) / 2);
  if (comoment.shape.length !== 2 || !positions || packedTriangle(dimensions) !== triangle) {
    throw wrong('cholesky-inverse', `wants packed triangles [positions, d(d+1)/2], got [${comoment.shape.join(', ')}]`);
  }
  if (!(ridge > 0)) throw wrong('cholesky-inverse', `the ridge must be positive, it is ${ridge}`);
  graph.add(choleskyOperator, [comoment, seen], { dimensions, ridge }, [], [comoment]);
}
