import type { AdapterProfile } from '../../../engine/adapter.js';
import type { Graph, Lowering, Operator, Tensor, Variant } from '../../../engine/graph.js';
import type { Kernel } from '../../../engine/kernel.js';
import { elementCount } from '../../../engine/tensor.js';
import { reduceSlices } from '../../reduce-slices.js';
import { conv2dFlops, conv2dKey, type Conv2dShape } from '../shape.js';
import { shapeParameters } from '../variant.js';
import naiveSource from './weight-naive.wgsl';
import maskedSource from './weight-subgroup-masked.wgsl';
import subgroupSource from './weight-subgroup.wgsl';
import tiledSource from './weight-tiled.wgsl';

/** How the product over pixels is spread over workgroups. */
interface Tiling {
  readonly kernel: Kernel;
  /** Workgroups that one slice of image rows takes. */
  readonly tiles: number;
  /** Parameters beside those of the shape. */
  readonly parameters: Readonly<Record<string, number>>;
}

/** One way to compute the gradient with respect to the weights. */
interface WeightGradientVariant extends Variant {
  applies(shape: Conv2dShape, adapter: AdapterProfile): boolean;
  tiling(shape: Conv2dShape, adapter: AdapterProfile): Tiling;
}

const dense = (shape: Conv2dShape): boolean => shape.groups === 1 && shape.dilationX === 1 && shape.dilationY === 1;
const lineLength = (shape: Conv2dShape): number => shape.kernelWidth * shape.inChannels;
const hasSubgroups = ({ features, subgroupSize = 0 }: AdapterProfile): boolean =>
  features.has('subgroups') && subgroupSize >= 4 && subgroupSize <= 16;

/** Rows of a tile: the most that divide the input channels, so that a tile lies in one tap. */
function subgroupRows(shape: Conv2dShape, size: number): number | undefined {
  return [4, 2].map((share) => share * size).find((rows) => shape.inChannels % rows === 0);
}

const subgroup: WeightGradientVariant = {
  name: 'subgroup',
  applies: (shape, adapter) =>
    dense(shape) &&
    hasSubgroups(adapter) &&
    shape.outChannels % 4 === 0 &&
    subgroupRows(shape, adapter.subgroupSize ?? 0) !== undefined,
  tiling(shape, adapter) {
    const size = adapter.subgroupSize ?? 0;
    const rows = subgroupRows(shape, size) ?? size;
    return {
      kernel: {
        name: `conv2d-weight-gradient/subgroup-${rows}x${size * 4}`,
        source: subgroupSource,
        enables: ['subgroups'],
        constants: { SUBGROUP: size, ROWS: rows },
        aliases: { Inputs: `vec${rows / size}f` },
      },
      tiles: ((shape.kernelHeight * lineLength(shape)) / rows) * Math.ceil(shape.outChannels / (size * 4)),
      parameters: {},
    };
  },
};

const masked: WeightGradientVariant = {
  name: 'subgroup-masked',
  applies: (shape, adapter) => dense(shape) && hasSubgroups(adapter) && shape.outChannels % 4 === 0,
  tiling(shape, adapter) {
    const size = adapter.subgroupSize ?? 0;
    const rows = 2 * size;
    return {
      kernel: {
        name: `conv2d-weight-gradient/subgroup-masked-${rows}x${size * 4}`,
        source: maskedSource,
        enables: ['subgroups'],
        constants: { SUBGROUP: size, ROWS: rows },
      },
      tiles: shape.kernelHeight * Math.ceil(lineLength(shape) / rows) * Math.ceil(shape.outChannels / (size * 4)),
      parameters: {},
    };
  },
};

const tiled: WeightGradientVariant = {
  name: 'tiled',
  applies: (shape) => dense(shape) && shape.inChannels % 4 === 0 && shape.outChannels % 4 === 0,
  tiling: (shape) => ({
    kernel: { name: 'conv2d-weight-gradient/tiled', source: tiledSource },
    tiles: Math.ceil((shape.kernelHeight * lineLength(shape)) / 32) * Math.ceil(shape.outChannels / 32),
    parameters: {},
  }),
};

const naive: WeightGradientVariant = {
  name: 'naive',
  applies: () => true,
  tiling(shape) {
    const count = weightCount(shape);
    return {
      kernel: { name: 'conv2d-weight-gradient/naive', source: naiveSource },
      tiles: Math.ceil(count / 64),
      parameters: { count },
    };
  },
};

/** All ways to compute the gradient with respect to the weights, best first. */
export const weightGradientVariants: readonly WeightGradientVariant[] = [subgroup, masked, tiled, naive];

/** Workgroups that keep an adapter busy: pixels are cut into slices until there are so many. */
function wantedWorkgroups(adapter: AdapterProfile): number {
  return adapter.class === 'hardware' ? 1024 : 8;
}

function weightCount(shape: Conv2dShape): number {
  return (shape.kernelHeight * lineLength(shape) * shape.outChannels) / shape.groups;
}

interface WeightGradientAttributes {
  readonly shape: Conv2dShape;
}

const weightGradientOperator: Operator<WeightGradientAttributes> = {
  name: 'conv2d-weight-gradient',
  lower(node, lowering) {
    const { shape } = node.attributes;
    const [input, gradient] = node.inputs;
    const [result] = node.outputs;
    if (!input || !gradient || !result) throw new Error('conv2d-weight-gradient wants an input and a gradient');
    const variants = weightGradientVariants.filter((variant) => variant.applies(shape, lowering.adapter));
    const variant = lowering.choose('conv2d-weight-gradient', conv2dKey(shape), variants, variants[0] ?? naive);
    lowerTiles(variant.tiling(shape, lowering.adapter), shape, input, gradient, result, lowering);
  },
};

function lowerTiles(
  { kernel, tiles, parameters }: Tiling,
  shape: Conv2dShape,
  input: Tensor,
  gradient: Tensor,
  result: Tensor,
  lowering: Lowering,
): void {
  const { adapter } = lowering;
  const imageRows = shape.batch * shape.outHeight;
  const count = elementCount(result.shape);
  const fitting = Math.max(1, Math.floor(adapter.limits.maxStorageBufferBindingSize / (count * 4)));
  const wanted = Math.min(imageRows, fitting, Math.ceil(wantedWorkgroups(adapter) / tiles));
  const sliceRows = Math.ceil(imageRows / wanted);
  const slices = Math.ceil(imageRows / sliceRows);
  const target = slices === 1 ? result : lowering.temporary('weight-gradient.slices', [slices, count]);
  lowering.dispatch({
    kernel,
    bindings: [input, gradient, target],
    parameters: {
      ...shapeParameters(shape),
      rows: shape.kernelHeight * lineLength(shape),
      image_rows: imageRows,
      slice_rows: sliceRows,
      ...parameters,
    },
    workgroups: [tiles, slices, 1],
    flops: conv2dFlops(shape),
  });
  if (slices > 1) reduceSlices(lowering, target, result);
}

/**
 * Gradient of a convolution with respect to its weights: a matrix product over pixels, in partial sums over slices of
 * image rows that are added up in a fixed order.
 *
 * @param input `[n, h, w, c]` of the convolution.
 * @param gradient `[n, out height, out width, out channels]` with respect to its result.
 * @returns `[kernel height, kernel width, c / groups, out channels]`
 */
export function conv2dWeightGradient(graph: Graph, input: Tensor, gradient: Tensor, shape: Conv2dShape): Tensor {
  return graph.apply(weightGradientOperator, [input, gradient], { shape }, [
    shape.kernelHeight,
    shape.kernelWidth,
    shape.inChannels / shape.groups,
    shape.outChannels,
  ]);
}
