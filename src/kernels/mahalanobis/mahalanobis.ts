import type { AdapterProfile } from '../../engine/adapter.js';
import type { Graph, Operator, Tensor, Variant } from '../../engine/graph.js';
import { foldWorkgroups, type Kernel } from '../../engine/kernel.js';
import { packedTriangle, positionChunks } from '../position-chunks.js';
import { wrong } from '../shapes.js';
import laneSource from './lane.wgsl';
import rowsSource from './rows.wgsl';
import subgroupSource from './subgroup.wgsl';

interface MahalanobisVariant extends Variant {
  readonly kernel: Kernel;
  /** Distances a workgroup computes. */
  readonly distances: number;
}

/** Variants that an adapter can run, the preferred one first. */
function variantsFor(adapter: AdapterProfile, dimensions: number): readonly MahalanobisVariant[] {
  const lane = { name: 'lane', distances: 64, kernel: { name: 'mahalanobis/lane', source: laneSource } };
  // Rounded up, so that models of about the same size share a pipeline.
  const rounded = Math.ceil(dimensions / 128) * 128;
  const variants: MahalanobisVariant[] = [];
  const fixed = adapter.features.has('subgroups') ? adapter.subgroupSize : undefined;
  if (fixed !== undefined && rounded * 4 <= adapter.limits.maxComputeWorkgroupStorageSize) {
    const constants = { WORKGROUP: fixed, DIMENSIONS: rounded };
    const kernel: Kernel = {
      name: `mahalanobis/subgroup${fixed}`,
      source: subgroupSource,
      constants,
      enables: ['subgroups'],
    };
    variants.push({ name: 'subgroup', distances: 1, kernel });
  }
  if ((rounded + 64) * 4 <= adapter.limits.maxComputeWorkgroupStorageSize) {
    const kernel: Kernel = { name: 'mahalanobis/rows', source: rowsSource, constants: { DIMENSIONS: rounded } };
    variants.push({ name: 'rows', distances: 1, kernel });
  }
  return adapter.class === 'hardware' ? [...variants, lane] : [lane, ...variants];
}

const mahalanobisOperator: Operator = {
  name: 'mahalanobis',
  lower(node, lowering) {
    const [features, mean, factor] = node.inputs;
    const [result] = node.outputs;
    const [images, positions, dimensions] = features?.shape ?? [];
    if (!features || !mean || !factor || !result || !images || !positions || !dimensions) {
      throw new Error('mahalanobis wants features, means and factors');
    }
    const { adapter } = lowering;
    const variants = variantsFor(adapter, dimensions);
    const [preferred] = variants;
    if (!preferred) throw new Error('mahalanobis has no variant');
    const variant = lowering.choose('mahalanobis', `${images}x${positions}x${dimensions}`, variants, preferred);
    const triangle = packedTriangle(dimensions);
    for (const { first, count, view, skip } of positionChunks(factor, adapter)) {
      lowering.dispatch({
        kernel: variant.kernel,
        bindings: [features, mean, view, result],
        parameters: { images, positions, dimensions, first, count, triangle, skip },
        workgroups: foldWorkgroups(
          Math.ceil((images * count) / variant.distances),
          adapter.limits.maxComputeWorkgroupsPerDimension,
        ),
        flops: 2 * images * count * triangle,
      });
    }
  },
};

/**
 * Mahalanobis distances of features to the Gaussian of their position: `|W(x − μ)|`, where W is the packed inverse of the
 * Cholesky factor of the covariance (`choleskyInverse`). Positions are processed in runs that fit a binding.
 *
 * Error: a sum of d products a row, |err| ≤ about 2·d·2⁻²⁴·Σⱼ|Wᵢⱼ(x − μ)ⱼ| in each component.
 *
 * @param features `[B, P, d]`.
 * @param mean `[P, d]`.
 * @param factor `[P, d(d+1)/2]`, lower triangles packed row by row.
 * @returns `[B, P]`, not negative.
 */
export function mahalanobis(graph: Graph, features: Tensor, mean: Tensor, factor: Tensor): Tensor {
  const [images = 0, positions = 0, dimensions = 0] = features.shape;
  const fits = (tensor: Tensor, size: number): boolean =>
    tensor.shape.length === 2 && tensor.shape[0] === positions && tensor.shape[1] === size;
  if (features.shape.length !== 3 || !fits(mean, dimensions) || !fits(factor, packedTriangle(dimensions))) {
    throw wrong(
      'mahalanobis',
      `features [${features.shape.join(', ')}], means [${mean.shape.join(', ')}] and factors ` +
        `[${factor.shape.join(', ')}] do not fit each other`,
    );
  }
  return graph.apply(mahalanobisOperator, [features, mean, factor], undefined, [images, positions]);
}
