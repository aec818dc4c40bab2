import { foldWorkgroups, type Kernel } from '../../engine/kernel.js';
import type { Tensor } from '../../engine/graph.js';
import epilogueSource from '../epilogue.wgsl';
import { columnGroups } from '../product/product.js';
import { longestLoop, memoryLoopsOf, unroll } from '../unroll.js';
import type { Conv2dCall } from './variant.js';
import inputSource from './winograd-input-subgroup.wgsl';
import productSource from './winograd-product-subgroup.wgsl';

/** Tiles of a workgroup of the products. */
const rows = 16;

/** Tiles that a workgroup of the input's transform goes down at most: long enough to pay for its start. */
const longestStrip = 16;

/** What both routes of a Winograd convolution know: see winograd.ts. */
export interface WinogradCall extends Conv2dCall {
  readonly tile: 2 | 4;
  /** The transforms of one line. */
  readonly transform: string;
  /** Filters in the transform's domain. */
  readonly filters: Tensor;
  readonly tilesY: number;
  readonly tilesX: number;
  /** Most images that go through at once. */
  readonly images: number;
}

/** How workgroups divide the products: lanes, and vectors of channels of a lane and in all. */
function layout({ shape, lowering }: WinogradCall) {
  const { subgroupSize: lanes = 8 } = lowering.adapter;
  const columns = shape.outChannels / 4;
  const vectors = columnGroups(columns, lanes);
  return { lanes, columns, vectors, workgroupsAcross: Math.ceil(columns / (lanes * vectors)) };
}

/** Workgroups of the products of some tiles. */
function productWorkgroups(call: WinogradCall, tiles: number): number {
  return Math.ceil(tiles / rows) * layout(call).workgroupsAcross;
}

/** Floats of the products of some tiles. */
function productFloats(call: WinogradCall, tiles: number): number {
  const { lanes, vectors } = layout(call);
  return productWorkgroups(call, tiles) * (call.tile + 2) ** 2 * rows * lanes * vectors * 4;
}

/**
 * The call with as many images at once as its products may take, where subgroups are the better way and possible: a lane
 * has a column of a tile.
 */
export function withSubgroups(call: WinogradCall): WinogradCall | undefined {
  const { class: adapterClass, subgroupSize = 0, limits } = call.lowering.adapter;
  if (adapterClass !== 'lavapipe' || subgroupSize < call.tile + 2 || call.shape.outChannels % 4 !== 0) return undefined;
  const fits = (images: number): boolean =>
    productFloats(call, images * call.tilesY * call.tilesX) * 4 <= limits.maxStorageBufferBindingSize;
  let { images } = call;
  while (images > 0 && !fits(images)) images--;
  return images > 0 ? { ...call, images } : undefined;
}

const kernels = new Map<string, Kernel>();

function kernelOf(name: string, make: () => Omit<Kernel, 'name'>): Kernel {
  const kernel = kernels.get(name) ?? { name, ...make() };
  kernels.set(name, kernel);
  return kernel;
}

/** A Winograd convolution in two launches: the input's transform, then products that are transformed back at once. */
export function lowerWithSubgroups(call: WinogradCall): void {
  const { shape, lowering, input, result, epilogue, extras, tile, transform, filters, tilesY, tilesX, images } = call;
  const { adapter } = lowering;
  const { batch, inChannels, outHeight, outWidth } = shape;
  const elements = (tile + 2) ** 2;
  const fold = (workgroups: number) => foldWorkgroups(workgroups, adapter.limits.maxComputeWorkgroupsPerDimension);
  const { lanes, columns, vectors, workgroupsAcross } = layout(call);
  // Four channels at a time where there are whole fours.
  const width = inChannels % 4 === 0 ? 4 : 1;
  const values = inChannels / width;
  const inputKernel = kernelOf(`conv2d/winograd${tile}-input lanes=${lanes} width=${width}`, () => ({
    source: unroll(`${transform}\n${inputSource}`),
    constants: { SUBGROUP: lanes },
    aliases: { Value: width === 4 ? 'vec4f' : 'f32' },
    enables: ['subgroups'],
  }));
  const sizes = { SUBGROUP: lanes, ROWS: rows, GROUPS: vectors };
  const productKernel = kernelOf(`conv2d/winograd${tile}-product lanes=${lanes} groups=${vectors}`, () => ({
    source: `${unroll(`${transform}\n${productSource}`, sizes, memoryLoopsOf(adapter))}\n${epilogueSource}`,
    constants: sizes,
    aliases: { Value: 'vec4f', Element: 'vec4f' },
    enables: ['subgroups'],
  }));
  const tiles = images * tilesY * tilesX;
  const transformed = lowering.temporary('winograd tiles', [elements, tiles, inChannels]);
  const products = lowering.temporary('winograd products', [productFloats(call, tiles)]);
  for (let first = 0; first < batch; first += images) {
    const count = Math.min(images, batch - first);
    const chunk = count * tilesY * tilesX;
    const groupsX = Math.ceil(tilesX / Math.floor(lanes / (tile + 2)));
    const strip = Math.min(tilesY, longestStrip);
    const strips = Math.ceil(tilesY / strip);
    const inputGroups = count * strips * groupsX * values;
    lowering.dispatch({
      kernel: inputKernel,
      bindings: [input, transformed],
      parameters: {
        ...{ count: inputGroups, first_image: first, in_height: shape.inHeight, in_width: shape.inWidth },
        ...{ channels: values, padding_top: shape.padding.top, padding_left: shape.padding.left },
        ...{ tiles_y: tilesY, tiles_x: tilesX, groups_x: groupsX, strip, strips, plane: chunk * values },
      },
      workgroups: fold(inputGroups),
    });
    const workgroups = productWorkgroups(call, chunk);
    lowering.dispatch({
      kernel: productKernel,
      bindings: [transformed, filters, ...extras, products, result],
      parameters: {
        ...{ count: workgroups, column_groups: workgroupsAcross, tiles: chunk, inner: inChannels, columns },
        ...{ plane_left: chunk * inChannels, plane_right: inChannels * columns, first_image: first },
        ...{ out_height: outHeight, out_width: outWidth, tiles_y: tilesY, tiles_x: tilesX },
        longest_loop: longestLoop,
        ...epilogue.parameters,
      },
      workgroups: fold(workgroups),
      flops: 2 * elements * chunk * inChannels * shape.outChannels,
    });
  }
}
