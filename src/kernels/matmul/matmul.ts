import type { AdapterProfile } from '../../engine/adapter.js';
import type { Graph, Lowering, Operator, Tensor, Variant } from '../../engine/graph.js';
import { foldWorkgroups, type Kernel } from '../../engine/kernel.js';
import { elementCount, type Shape } from '../../engine/tensor.js';
import { epilogueInputs, fuseEpilogue, plainEpilogue, type EpilogueInputs, type WithEpilogue } from '../epilogue.js';
import epilogueSource from '../epilogue.wgsl';
import {
  dispatchProduct,
  fastestProduct,
  matrixRows,
  noEpilogue,
  paddedColumns,
  prefersSlices,
  productRuns,
  type ProductKernelName,
} from '../product/product.js';
import sumSource from '../product/sum-slices.wgsl';
import transposeSource from '../product/transpose.wgsl';
import naiveSource from './naive.wgsl';

/** Options of a matrix product. */
export interface MatmulOptions {
  /** `a` is given as [K, M]. */
  readonly transposeA?: boolean;
  /** `b` is given as [N, K]. */
  readonly transposeB?: boolean;
}

/** Everything a matrix product's kernels and their choice depend on. */
export interface MatmulShape {
  /** Independent products in one dispatch. */
  readonly batch: number;
  readonly rows: number;
  readonly columns: number;
  readonly inner: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

/** One matrix product that is being lowered. */
export interface MatmulCall {
  readonly shape: MatmulShape;
  readonly lowering: Lowering;
  readonly a: Tensor;
  readonly result: Tensor;
  readonly epilogue: EpilogueInputs;
  /** Bindings 2 and 3 of every kernel with an epilogue; `b` stands in for what is absent. */
  readonly extras: readonly [Tensor, Tensor];
}

/** One way to compute a matrix product. */
export interface MatmulVariant extends Variant {
  applies(shape: MatmulShape, adapter: AdapterProfile, b: Tensor): boolean;
  lower(call: MatmulCall): void;
}

const naiveKernel = { name: 'matmul/naive', source: naiveSource + epilogueSource };

const naive: MatmulVariant = {
  name: 'naive',
  applies: () => true,
  lower({ shape, lowering, a, result, epilogue, extras }) {
    const { rows, columns, inner } = shape;
    const count = elementCount(result.shape);
    lowering.dispatch({
      kernel: naiveKernel,
      bindings: [a, epilogue.weight, ...extras, result],
      parameters: {
        ...{ count, rows, columns, inner },
        transpose_a: shape.transposeA ? 1 : 0,
        transpose_b: shape.transposeB ? 1 : 0,
        ...epilogue.parameters,
      },
      workgroups: foldWorkgroups(Math.ceil(count / 64), lowering.adapter.limits.maxComputeWorkgroupsPerDimension),
      flops: 2 * count * inner,
    });
  },
};

const transposeKernel: Kernel = { name: 'product/transpose', source: transposeSource };

/** The right operand as [batch, inner, columns]: itself, a copy made while loading, or one made in every run. */
function uprightRight(lowering: Lowering, b: Tensor, { batch, inner, columns, transposeB }: MatmulShape): Tensor {
  if (!transposeB) return b;
  const shape = [batch, inner, columns];
  const derived = lowering.derived(b, 'transposed', shape, ({ data }) => {
    const upright = new Float32Array(data.length);
    for (let matrix = 0; matrix < batch; matrix++) {
      const first = matrix * inner * columns;
      for (let column = 0; column < columns; column++) {
        for (let k = 0; k < inner; k++) {
          upright[first + k * columns + column] = data[first + column * inner + k] ?? 0;
        }
      }
    }
    return { shape, data: upright };
  });
  if (derived) return derived;
  const upright = lowering.temporary(`${b.name} transposed`, shape);
  const count = batch * inner * columns;
  lowering.dispatch({
    kernel: transposeKernel,
    bindings: [b, upright],
    parameters: { count, rows: columns, columns: inner },
    workgroups: foldWorkgroups(Math.ceil(count / 64), lowering.adapter.limits.maxComputeWorkgroupsPerDimension),
  });
  return upright;
}

function lowerProduct(name: ProductKernelName, call: MatmulCall, half = false): void {
  const { shape, lowering, a, result, epilogue, extras } = call;
  const { batch, rows, columns, inner, transposeA } = shape;
  const upright = uprightRight(lowering, epilogue.weight, shape);
  const padded = paddedColumns(lowering, upright, columns);
  const right =
    (half ? lowering.derived(padded.tensor, 'f16', padded.tensor.shape, (host) => host, 'f16') : undefined) ??
    padded.tensor;
  dispatchProduct(lowering, name, {
    ...{ left: a, right, extras, result, channels: columns },
    rows: matrixRows(rows, inner, transposeA),
    weightStride: padded.stride,
    resultStride: columns,
    planes: {
      count: batch,
      input: rows * inner,
      weight: inner * padded.stride,
      result: rows * columns,
      channel: 0,
    },
    epilogue: epilogue.parameters,
    flops: 2 * batch * rows * columns * inner,
  });
}

function productVariant(name: ProductKernelName): MatmulVariant {
  return {
    name: name === 'direct' ? 'register' : name,
    applies: ({ batch }, adapter) =>
      productRuns(name, adapter) && batch <= adapter.limits.maxComputeWorkgroupsPerDimension,
    lower: (call) => lowerProduct(name, call),
  };
}

const subgroupHalf: MatmulVariant = {
  name: 'subgroup-f16',
  applies: ({ batch }, adapter, b) =>
    productRuns('subgroup', adapter) &&
    batch <= adapter.limits.maxComputeWorkgroupsPerDimension &&
    adapter.features.has('shader-f16') &&
    b.contents !== undefined,
  lower: (call) => lowerProduct('subgroup', call, true),
};

const sumKernel: Kernel = { name: 'matmul/sum-slices', source: `${sumSource}\n${epilogueSource}` };

function slices({ batch, inner, transposeA }: MatmulShape): number {
  if (batch !== 1 || transposeA) return 1;
  return [8, 4, 2].find((count) => inner % count === 0 && inner / count >= 64) ?? 1;
}

const splitSum: MatmulVariant = {
  name: 'splitk',
  applies: (shape) => slices(shape) > 1,
  lower(call) {
    const { shape, lowering, a, result, epilogue, extras } = call;
    const { rows, columns, inner } = shape;
    const count = slices(shape);
    const part = inner / count;
    const outputs = rows * columns;
    const parts = lowering.temporary('matmul slices', [count, outputs]);
    const right = paddedColumns(lowering, uprightRight(lowering, epilogue.weight, shape), columns);
    dispatchProduct(lowering, fastestProduct(lowering.adapter), {
      ...{ left: a, right: right.tensor, extras: [a, a], result: parts, channels: columns },
      // The line goes on behind a slice, and the next row begins with the whole sum's length.
      rows: { ...matrixRows(rows, inner, false), run: part },
      weightStride: right.stride,
      resultStride: columns,
      planes: { count, input: part, weight: part * right.stride, result: outputs, channel: 0 },
      epilogue: noEpilogue,
      flops: 2 * rows * columns * inner,
    });
    lowering.dispatch({
      kernel: sumKernel,
      bindings: [parts, result, ...extras],
      parameters: { count: outputs, channels: columns, slices: count, ...epilogue.parameters },
      workgroups: foldWorkgroups(Math.ceil(outputs / 64), lowering.adapter.limits.maxComputeWorkgroupsPerDimension),
      flops: count * outputs,
    });
  },
};

/** All ways to compute a matrix product. */
export const matmulVariants: readonly MatmulVariant[] = [
  naive,
  ...(['direct', 'subgroup', 'shared', 'subgroup-matrix'] as const).map(productVariant),
  subgroupHalf,
  splitSum,
];

/** The default variants for a shape on an adapter, best first: the first that applies is taken. */
export function chooseMatmul({ batch, rows, columns, inner }: MatmulShape, adapter: AdapterProfile): readonly string[] {
  const product = fastestProduct(adapter);
  const fastest = product === 'direct' ? 'register' : product;
  const sliced = adapter.class === 'hardware' && batch === 1 && prefersSlices(rows, columns, inner);
  return sliced ? ['splitk', fastest] : [fastest];
}

interface MatmulAttributes extends WithEpilogue {
  readonly shape: MatmulShape;
}

const matmulOperator: Operator<MatmulAttributes> = {
  name: 'matmul',
  fuse(node, next) {
    const { shape } = node.attributes;
    // A batch norm is folded into the columns of `b`, which must be its last dimension and shared by all rows.
    if (next.operator.name === 'batch-norm' && (shape.transposeB || shape.batch > 1)) return undefined;
    return fuseEpilogue(node, next);
  },
  lower(node, lowering) {
    const { shape } = node.attributes;
    const [a] = node.inputs;
    const [result] = node.outputs;
    if (!a || !result) throw new Error('matmul wants two operands');
    const epilogue = epilogueInputs(node, lowering);
    const { weight, bias, residual } = epilogue;
    // Weights that are trained in place cannot be packed while loading, whatever they start from.
    const known = lowering.isConstant(weight) ? weight : { ...weight, contents: undefined };
    const variants = matmulVariants.filter((variant) => variant.applies(shape, lowering.adapter, known));
    const order = chooseMatmul(shape, lowering.adapter);
    const preferred = order.flatMap((name) => variants.filter((variant) => variant.name === name))[0] ?? naive;
    const variant = lowering.choose('matmul', matmulKey(shape), variants, preferred);
    variant.lower({ shape, lowering, a, result, epilogue, extras: [bias ?? weight, residual ?? weight] });
  },
  gradient(node, [gradient], graph) {
    const [a, b] = node.inputs;
    const { transposeA, transposeB } = node.attributes.shape;
    if (!gradient || !a || !b) return [];
    return [
      transposeA
        ? matmul(graph, b, gradient, { transposeA: transposeB, transposeB: true })
        : matmul(graph, gradient, b, { transposeB: !transposeB }),
      transposeB
        ? matmul(graph, gradient, a, { transposeA: true, transposeB: transposeA })
        : matmul(graph, a, gradient, { transposeA: !transposeA }),
    ];
  },
};

/** What a measured winner is remembered under. */
export function matmulKey(shape: MatmulShape): string {
  const { batch, rows, columns, inner, transposeA, transposeB } = shape;
  return `${batch}x${rows}x${inner}x${columns}${transposeA ? ' tA' : ''}${transposeB ? ' tB' : ''}`;
}

/**
 * Matrix product `a · b` of [M, K] and [K, N], or of [B, M, K] and [B, K, N] for B independent products. A following
 * {@link addBias}, {@link batchNorm}, `add`, `relu` or `relu6` is fused into its store.
 *
 * @returns [M, N] or [B, M, N]
 */
export function matmul(graph: Graph, a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  const transposeA = options.transposeA ?? false;
  const transposeB = options.transposeB ?? false;
  const [batch, aRows, aColumns] = matrices(a.shape);
  const [bBatch, bRows, bColumns] = matrices(b.shape);
  const [rows, inner] = transposeA ? [aColumns, aRows] : [aRows, aColumns];
  const [bInner, columns] = transposeB ? [bColumns, bRows] : [bRows, bColumns];
  if (a.shape.length !== b.shape.length || batch !== bBatch || inner !== bInner) {
    throw new Error(`matrix product of [${a.shape.join(', ')}] and [${b.shape.join(', ')}]: the shapes do not fit`);
  }
  const shape = { batch, rows, columns, inner, transposeA, transposeB };
  const resultShape = a.shape.length === 3 ? [batch, rows, columns] : [rows, columns];
  return graph.apply(matmulOperator, [a, b], { shape, epilogue: plainEpilogue }, resultShape);
}

function matrices(shape: Shape): readonly [number, number, number] {
  const [first = 0, second = 0, third = 0] = shape;
  return shape.length === 3 ? [first, second, third] : shape.length === 2 ? [1, first, second] : [0, 0, 0];
}
