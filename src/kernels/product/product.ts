import type { AdapterProfile } from '../../engine/adapter.js';
import type { BufferView, Lowering, Tensor } from '../../engine/graph.js';
import { foldWorkgroups, type Kernel } from '../../engine/kernel.js';
import epilogueSource from '../epilogue.wgsl';
import { longestLoop, memoryLoopsOf, unroll } from '../unroll.js';
import directSource from './direct.wgsl';
import padSource from './pad-columns.wgsl';
import rowsSource from './rows.wgsl';
import sharedSource from './shared.wgsl';
import raggedStoreSource from './store-ragged.wgsl';
import storeSource from './store.wgsl';
import subgroupMatrixSource from './subgroup-matrix.wgsl';
import subgroupSource from './subgroup.wgsl';

/** Kernels that compute an implicit matrix product (see rows.wgsl). */
export type ProductKernelName = 'direct' | 'subgroup' | 'shared' | 'subgroup-matrix';

/** Where the rows of the left operand lie: the fields of Params in rows.wgsl, in floats. */
export interface ProductRows {
  readonly rows: number;
  readonly lines: number;
  readonly line_length: number;
  readonly out_lines: number;
  readonly out_line_rows: number;
  readonly stride_lines: number;
  readonly stride: number;
  readonly dilation_lines: number;
  readonly dilation: number;
  readonly padding_lines: number;
  readonly padding: number;
  readonly taps_y: number;
  readonly taps_x: number;
  readonly run: number;
  readonly step: number;
}

/** Several products of one size in one dispatch: what is added from one to the next, in elements. */
export interface ProductPlanes {
  readonly count: number;
  readonly input: number;
  readonly weight: number;
  readonly result: number;
  readonly channel: number;
}

/** A product to be computed. */
export interface Product {
  readonly left: Tensor | BufferView;
  /** [values of the sum, row length], the row length a multiple of four (see {@link paddedColumns}). */
  readonly right: Tensor;
  /** Bias and residual, or what stands in for them. */
  readonly extras: readonly [Tensor, Tensor];
  readonly result: Tensor;
  readonly rows: ProductRows;
  /** Output channels of one plane. */
  readonly channels: number;
  /** Row length of `right` and of the result, in elements. */
  readonly weightStride: number;
  readonly resultStride: number;
  /** Values of the sum from one run to the next, where they are not neighbours. */
  readonly tapLength?: number;
  readonly planes: ProductPlanes;
  readonly epilogue: { readonly has_bias: number; readonly has_residual: number; readonly activation: number };
  readonly flops: number;
}

/** One plane. */
export const onePlane: ProductPlanes = { count: 1, input: 0, weight: 0, result: 0, channel: 0 };

/** No bias, residual or activation. */
export const noEpilogue = { has_bias: 0, has_residual: 0, activation: 0 };

/** Rows of a plain matrix [rows, inner], or [inner, rows] when transposed. */
export function matrixRows(rows: number, inner: number, transposed: boolean): ProductRows {
  return {
    ...{ rows, lines: 1, line_length: rows * inner, out_lines: 1, out_line_rows: rows },
    ...{ stride_lines: 1, stride: transposed ? 1 : inner, dilation_lines: 1, dilation: 0 },
    ...{ padding_lines: 0, padding: 0, taps_y: 1, taps_x: 1, run: inner, step: transposed ? rows : 1 },
  };
}

/** Whether an adapter can run a product kernel. */
export function productRuns(name: ProductKernelName, adapter: AdapterProfile): boolean {
  switch (name) {
    case 'direct':
      return true;
    case 'subgroup':
      return [4, 8, 16, 32, 64].includes(adapter.subgroupSize ?? 0);
    case 'shared':
      return adapter.limits.maxComputeInvocationsPerWorkgroup >= 256;
    case 'subgroup-matrix': {
      const { subgroupSize = 0, subgroupMatrix, features, limits } = adapter;
      // Both operands' blocks in 16 bits with their padding, and the sums of eight subgroups: see the kernel.
      return (
        subgroupMatrix !== undefined &&
        features.has('shader-f16') &&
        [8, 16, 32, 64].includes(subgroupSize) &&
        8 * subgroupSize <= limits.maxComputeInvocationsPerWorkgroup &&
        2 * (64 * 40 + 32 * 72) + 4 * 8 * 16 * subgroupMatrix.m <= limits.maxComputeWorkgroupStorageSize
      );
    }
  }
}

/** The fastest product kernel of an adapter: subgroup broadcasts in software, workgroup memory on hardware. */
export function fastestProduct(adapter: AdapterProfile): Exclude<ProductKernelName, 'subgroup-matrix'> {
  const name = adapter.class === 'hardware' ? 'shared' : 'subgroup';
  return productRuns(name, adapter) ? name : 'direct';
}

/** Column groups of a `subgroup` kernel's workgroup: two are a sixth faster, unless they are padding. */
export function columnGroups(columns: number, lanes: number): 1 | 2 {
  const computed = (groups: number): number => Math.ceil(columns / (lanes * groups)) * groups;
  return computed(2) <= 1.17 * computed(1) ? 2 : 1;
}

interface Tiled {
  readonly kernel: Kernel;
  /** Rows and vec4 columns of a workgroup's tile. */
  readonly tileRows: number;
  readonly tileColumns: number;
}

const kernels = new Map<string, Kernel>();

function specialised(
  name: ProductKernelName,
  source: string,
  constants: Readonly<Record<string, number>>,
  options: { adapter: AdapterProfile; ragged: boolean; half: boolean },
): Kernel {
  const { adapter, ragged, half } = options;
  const memoryLoops = memoryLoopsOf(adapter);
  const sizes = Object.entries(constants).map(([key, value]) => `${key.toLowerCase()}=${value}`);
  const traits = [...sizes, ...(ragged ? ['ragged'] : []), ...(half ? ['f16'] : [])];
  const full = `product/${name} ${traits.join(' ')}`;
  const key = `${full} ${memoryLoops}`;
  let kernel = kernels.get(key);
  if (!kernel) {
    const written = unroll(source, constants, memoryLoops);
    const enables = [
      ...(name === 'subgroup' ? ['subgroups' as const] : []),
      ...(half || name === 'subgroup-matrix' ? ['f16' as const] : []),
      ...(name === 'subgroup-matrix' ? ['chromium_experimental_subgroup_matrix' as const] : []),
    ];
    kernel = {
      name: full,
      source: [
        rowsSource,
        unroll(ragged ? raggedStoreSource : storeSource, {}, memoryLoops),
        epilogueSource,
        written,
      ].join('\n'),
      constants,
      aliases: { Element: ragged ? 'f32' : 'vec4f', ...(half ? { Weight: 'vec4<f16>' } : {}) },
      enables,
    };
    kernels.set(key, kernel);
  }
  return kernel;
}

function tiled(name: ProductKernelName, product: Product, adapter: AdapterProfile): Tiled {
  const options = { adapter, ragged: product.resultStride % 4 !== 0, half: product.right.dtype === 'f16' };
  const columns = Math.ceil(product.channels / 4);
  switch (name) {
    case 'direct':
      return { kernel: specialised(name, directSource, {}, options), tileRows: 32, tileColumns: 8 };
    case 'subgroup': {
      const subgroup = adapter.subgroupSize ?? 8;
      const rows = Math.max(16, subgroup);
      const groups = subgroup <= 8 ? columnGroups(columns, subgroup) : 1;
      const constants = { SUBGROUP: subgroup, ROWS: rows, GROUPS: groups };
      const kernel = specialised(name, subgroupSource, constants, options);
      return { kernel, tileRows: rows, tileColumns: subgroup * groups };
    }
    case 'subgroup-matrix': {
      const { subgroupSize = 32, subgroupMatrix = { m: 16, n: 16, k: 16 } } = adapter;
      const constants = { SUBGROUP: subgroupSize, M: subgroupMatrix.m, N: subgroupMatrix.n, K: subgroupMatrix.k };
      const kernel = specialised(name, subgroupMatrixSource, constants, options);
      return { kernel, tileRows: 64, tileColumns: 16 };
    }
    case 'shared': {
      const { side, height, width } = sharedTile(product, adapter);
      const constants = { SIDE: side, DEPTH: 16, HEIGHT: height, WIDTH: width };
      const kernel = specialised(name, sharedSource, constants, options);
      return { kernel, tileRows: 4 * side * height, tileColumns: side * width };
    }
  }
}

/** Workgroups that keep a large device busy: two for each of an H100's 132 multiprocessors. */
const manyWorkgroups = 264;

/**
 * Whether a product of [rows, inner] and [inner, columns] is better split along the sum on hardware: it has too few tiles
 * for a large device, and sums that are long enough to pay for adding up the slices.
 */
export function prefersSlices(rows: number, columns: number, inner: number): boolean {
  return Math.ceil(rows / 64) * Math.ceil(columns / 64) < manyWorkgroups / 2 && inner >= 256;
}

/** The largest tile of the `shared` kernel of which there are many workgroups, or else the smallest. */
function sharedTile(
  { channels, rows, planes }: Product,
  adapter: AdapterProfile,
): { side: number; height: number; width: number } {
  if (adapter.class !== 'hardware') return { side: 8, height: 1, width: 1 };
  const tiles = [
    { side: 16, height: 2, width: 2 },
    { side: 16, height: 2, width: 1 },
    { side: 16, height: 1, width: 1 },
  ];
  const fits = ({ side, height, width }: (typeof tiles)[number]): boolean => {
    // The kernel's two blocks of vec4f, DEPTH values deep.
    const bytes = 16 * 16 * (side * height + 1 + side * width);
    const across = Math.ceil(channels / (4 * side * width));
    const padding = (across * 4 * side * width) / channels;
    const workgroups = across * Math.ceil(rows.rows / (4 * side * height)) * planes.count;
    const many = height * width === 1 ? 1 : manyWorkgroups;
    return bytes <= adapter.limits.maxComputeWorkgroupStorageSize && padding <= 1.5 && workgroups >= many;
  };
  return tiles.find(fits) ?? { side: 8, height: 1, width: 1 };
}

/** Dispatches a product. The order of each sum is the same in all kernels: results do not depend on tiles or batch. */
export function dispatchProduct(lowering: Lowering, name: ProductKernelName, product: Product): void {
  const { adapter } = lowering;
  const { kernel, tileRows, tileColumns } = tiled(name, product, adapter);
  const { rows, planes, channels, weightStride, resultStride } = product;
  const unit = resultStride % 4 === 0 ? 4 : 1;
  const columnGroups = Math.ceil(channels / 4 / tileColumns);
  const rowGroups = Math.ceil(rows.rows / tileRows);
  const fold = Math.ceil(rowGroups / adapter.limits.maxComputeWorkgroupsPerDimension);
  lowering.dispatch({
    kernel,
    bindings: [product.left, product.right, ...product.extras, product.result],
    parameters: {
      ...rows,
      columns: Math.ceil(channels / 4),
      channels,
      weight_stride: weightStride / 4,
      tap_weights: ((product.tapLength ?? rows.run) * weightStride) / 4,
      plane_input: planes.input,
      plane_weight: planes.weight / 4,
      plane_result: planes.result / unit,
      plane_channel: planes.channel / unit,
      result_stride: resultStride / unit,
      column_groups: columnGroups,
      longest_loop: longestLoop,
      ...product.epilogue,
    },
    workgroups: [columnGroups * fold, Math.ceil(rowGroups / fold), planes.count],
    flops: product.flops,
  });
}

/** The right operand with its rows padded to a multiple of four: itself, a copy made while loading, or one made in every run. */
export function paddedColumns(lowering: Lowering, right: Tensor, columns: number): { tensor: Tensor; stride: number } {
  const stride = Math.ceil(columns / 4) * 4;
  if (stride === columns) return { tensor: right, stride };
  const count = right.shape.reduce((product, size) => product * size, 1);
  const rows = count / columns;
  const derived = lowering.derived(right, 'columns-padded', [rows, stride], ({ data }) => {
    const padded = new Float32Array(rows * stride);
    for (let row = 0; row < rows; row++) padded.set(data.subarray(row * columns, (row + 1) * columns), row * stride);
    return { shape: [rows, stride], data: padded };
  });
  if (derived) return { tensor: derived, stride };
  const tensor = lowering.temporary(`${right.name} padded`, [rows, stride]);
  lowering.dispatch({
    kernel: padKernel,
    bindings: [right, tensor],
    parameters: { count: rows * stride, columns, padded: stride },
    workgroups: foldWorkgroups(
      Math.ceil((rows * stride) / 64),
      lowering.adapter.limits.maxComputeWorkgroupsPerDimension,
    ),
  });
  return { tensor, stride };
}

const padKernel: Kernel = { name: 'product/pad-columns', source: padSource };
