import type { AdapterProfile } from '../../engine/adapter.js';
import type { Graph, Operator, Tensor, Variant } from '../../engine/graph.js';
import { foldWorkgroups, type Kernel } from '../../engine/kernel.js';
import { packedTriangle, positionChunks } from '../position-chunks.js';
import { wrong } from '../shapes.js';
import { unroll } from '../unroll.js';
import gaussiansSource from './gaussians.wgsl';
import laneImagesSource from './lane-images.wgsl';
import laneSource from './lane.wgsl';
import rowsSource from './rows.wgsl';
import tiledSource from './tiled.wgsl';

interface MahalanobisVariant extends Variant {
  readonly kernel: Kernel;
  /** Workgroups for a run of positions: their number, and how often each position comes again for more images. */
  readonly workgroups: (count: number) => { readonly number: number; readonly layers: number };
}

/** A kernel's text with what it binds. */
const joined = (source: string): string => `${gaussiansSource}\n${source}`;

/** Variants that an adapter can run, the preferred one first. */
function variantsFor(adapter: AdapterProfile, images: number, dimensions: number): readonly MahalanobisVariant[] {
  const lane: MahalanobisVariant = {
    name: 'lane',
    kernel: { name: 'mahalanobis/lane', source: joined(laneSource) },
    workgroups: (count) => ({ number: Math.ceil((images * count) / 64), layers: 1 }),
  };
  const laneImages: MahalanobisVariant = {
    name: 'lane-images',
    kernel: { name: 'mahalanobis/lane-images', source: joined(laneImagesSource) },
    workgroups: (count) => ({ number: Math.ceil((Math.ceil(images / 4) * count) / 64), layers: 1 }),
  };
  const vectors = Math.min(4, Math.ceil(images / 4));
  const tiled: MahalanobisVariant = {
    name: 'tiled',
    kernel: {
      name: `mahalanobis/tiled-${4 * vectors}`,
      source: joined(unroll(tiledSource, { VECTORS: vectors })),
      constants: { VECTORS: vectors },
    },
    workgroups: (count) => ({ number: count, layers: Math.ceil(images / (4 * vectors)) }),
  };
  // Rounded up, so that models of about the same size share a pipeline.
  const rounded = Math.ceil(dimensions / 128) * 128;
  const rows: MahalanobisVariant = {
    name: 'rows',
    kernel: { name: 'mahalanobis/rows', source: joined(rowsSource), constants: { DIMENSIONS: rounded } },
    workgroups: (count) => ({ number: images * count, layers: 1 }),
  };
  const staged = (rounded + 64) * 4 <= adapter.limits.maxComputeWorkgroupStorageSize ? [tiled, rows] : [tiled];
  const lanes = images > 1 ? [laneImages, lane] : [lane];
  return adapter.class === 'hardware' ? [...staged, ...lanes] : [...lanes, ...staged];
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
    const variants = variantsFor(adapter, images, dimensions);
    const [preferred] = variants;
    if (!preferred) throw new Error('mahalanobis has no variant');
    const variant = lowering.choose('mahalanobis', `${images}x${positions}x${dimensions}`, variants, preferred);
    const triangle = packedTriangle(dimensions);
    for (const { first, count, view, skip } of positionChunks(factor, adapter)) {
      const { number, layers } = variant.workgroups(count);
      const [x, y] = foldWorkgroups(number, adapter.limits.maxComputeWorkgroupsPerDimension);
      lowering.dispatch({
        kernel: variant.kernel,
        bindings: [features, mean, view, result],
        parameters: { images, positions, dimensions, first, count, triangle, skip },
        workgroups: [x, y, layers],
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
