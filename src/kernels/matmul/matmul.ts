import type { AdapterProfile } from '../../engine/adapter.js';
import type { Graph, Lowering, Operator, Tensor, Variant } from '../../engine/graph.js';
import { foldWorkgroups } from '../../engine/kernel.js';
import { elementCount, type Shape } from '../../engine/tensor.js';
import { epilogueInputs, fuseEpilogue, plainEpilogue, type EpilogueInputs, type WithEpilogue } from '../epilogue.js';
import epilogueSource from '../epilogue.wgsl';
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

/** All ways to compute a matrix product. */
export const matmulVariants: readonly MatmulVariant[] = [naive];

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
    const variants = matmulVariants.filter((variant) => variant.applies(shape, lowering.adapter, weight));
    const variant = lowering.choose('matmul', matmulKey(shape), variants, naive);
    variant.lower({ shape, lowering, a, result, epilogue, extras: [bias ?? weight, residual ?? weight] });
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
