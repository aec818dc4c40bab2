import { foldWorkgroups, type Kernel } from '../../engine/kernel.js';
import type { HostTensor } from '../../engine/tensor.js';
import epilogueSource from '../epilogue.wgsl';
import { dispatchProduct, fastestProduct, matrixRows, noEpilogue } from '../product/product.js';
import { longestLoop, memoryLoopsOf, unroll, type MemoryLoops } from '../unroll.js';
import type { Conv2dShape } from './shape.js';
import type { Conv2dVariant } from './variant.js';
import fourSource from './winograd-4.wgsl';
import inputSource from './winograd-input.wgsl';
import outputSource from './winograd-output.wgsl';
import { lowerWithSubgroups, withSubgroups, type WinogradCall } from './winograd-subgroup.js';
import twoSource from './winograd-2.wgsl';

/** Rows of G: the filter transform of one line (arXiv 1509.09308, sections 4.1 and 4.3). */
const filterTransforms: Readonly<Record<number, readonly (readonly [number, number, number])[]>> = {
  2: [
    [1, 0, 0],
    [1 / 2, 1 / 2, 1 / 2],
    [1 / 2, -1 / 2, 1 / 2],
    [0, 0, 1],
  ],
  4: [
    [1 / 4, 0, 0],
    [-1 / 6, -1 / 6, -1 / 6],
    [-1 / 6, 1 / 6, -1 / 6],
    [1 / 24, 1 / 12, 1 / 6],
    [1 / 24, -1 / 12, 1 / 6],
    [0, 0, 1],
  ],
};

/** The texts of both transforms. */
const transforms = { 2: twoSource, 4: fourSource } as const;

/** Device bytes that the transformed tiles of one chunk of images may take. */
const chunkBytes = 32 * 2 ** 20;

/**
 * Filters [3, 3, in, out] in the transform's domain, U = G · g · Gᵀ, as [size², in, out padded to a multiple of four];
 * computed in f64.
 */
export function transformFilters(weight: HostTensor, tile: 2 | 4): HostTensor {
  const transform = filterTransforms[tile] ?? [];
  const size = transform.length;
  const [, , inputs = 0, outputs = 0] = weight.shape;
  const stride = Math.ceil(outputs / 4) * 4;
  const data = new Float32Array(size * size * inputs * stride);
  const tap = inputs * outputs;
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const factors = Array.from(
        { length: 9 },
        (_, at) => (transform[row]?.[Math.floor(at / 3)] ?? 0) * (transform[column]?.[at % 3] ?? 0),
      );
      const plane = (row * size + column) * inputs * stride;
      for (let c = 0; c < inputs; c++) {
        for (let o = 0; o < outputs; o++) {
          let sum = 0;
          for (let at = 0; at < 9; at++) sum += (factors[at] ?? 0) * (weight.data[at * tap + c * outputs + o] ?? 0);
          data[plane + c * stride + o] = sum;
        }
      }
    }
  }
  return { shape: [size * size, inputs, stride], data };
}

interface Kernels {
  readonly input: Kernel;
  readonly output: Kernel;
}

function kernelsOf(tile: 2 | 4, memoryLoops: MemoryLoops, width: 1 | 4): Kernels {
  const join = (source: string): string => unroll(`${transforms[tile]}\n${source}`, {}, memoryLoops);
  const type = width === 4 ? 'vec4f' : 'f32';
  const suffix = width === 4 ? '-vec4' : '';
  return {
    input: { name: `conv2d/winograd${tile}-input${suffix}`, source: join(inputSource), aliases: { Value: type } },
    output: {
      name: `conv2d/winograd${tile}-output${suffix}`,
      source: `${join(outputSource)}\n${epilogueSource}`,
      aliases: { Value: type, Element: type },
    },
  };
}

const kernels = new Map<string, Kernels>();

function cachedKernels(tile: 2 | 4, memoryLoops: MemoryLoops, width: 1 | 4): Kernels {
  const key = `${tile} ${memoryLoops} ${width}`;
  const made = kernels.get(key) ?? kernelsOf(tile, memoryLoops, width);
  kernels.set(key, made);
  return made;
}

function isPlain3x3({
  kernelHeight,
  kernelWidth,
  strideY,
  strideX,
  dilationY,
  dilationX,
  groups,
}: Conv2dShape): boolean {
  return (
    kernelHeight === 3 &&
    kernelWidth === 3 &&
    [strideY, strideX, dilationY, dilationX, groups].every((value) => value === 1)
  );
}

/** Bytes of the larger of the two sets of transformed tiles, for one image. */
function imageBytes({ outHeight, outWidth, inChannels, outChannels }: Conv2dShape, tile: number): number {
  const tiles = Math.ceil(outHeight / tile) * Math.ceil(outWidth / tile);
  return (tile + 2) ** 2 * tiles * Math.max(inChannels, outChannels) * 4;
}

/**
 * Winograd convolution of 3 × 3 filters with stride 1: tiles and filters are transformed, multiplied element by element
 * as (tile + 2)² matrix products, and transformed back. F(2 × 2) does 2.25 times fewer multiplications, F(4 × 4) 4 times
 * fewer. Measured error over Σ|ab|, 1 to 256 channels: plain sum 1.6e-7 at most, F(2 × 2) 1.7e-7, F(4 × 4) 1.9e-6: one
 * digit lost. Images go through in chunks, so that a batch takes no more memory than a few.
 */
function winograd(tile: 2 | 4): Conv2dVariant {
  const elements = (tile + 2) ** 2;
  return {
    name: `winograd${tile}`,
    applies: (shape, adapter, weight) =>
      isPlain3x3(shape) &&
      weight.contents !== undefined &&
      imageBytes(shape, tile) <= adapter.limits.maxStorageBufferBindingSize,
    lower(call) {
      const { shape, lowering, epilogue } = call;
      const { batch, outHeight, outWidth, inChannels, outChannels } = shape;
      const stride = Math.ceil(outChannels / 4) * 4;
      const filters = lowering.derived(epilogue.weight, `winograd${tile}`, [elements, inChannels, stride], (weight) =>
        transformFilters(weight, tile),
      );
      if (!filters) throw new Error('winograd wants weights that stay as they are');
      const limit = Math.min(chunkBytes, lowering.adapter.limits.maxStorageBufferBindingSize);
      const winogradCall: WinogradCall = {
        ...call,
        tile,
        transform: transforms[tile],
        filters,
        tilesY: Math.ceil(outHeight / tile),
        tilesX: Math.ceil(outWidth / tile),
        images: Math.max(1, Math.min(batch, Math.floor(limit / imageBytes(shape, tile)))),
      };
      const together = withSubgroups(winogradCall);
      if (together) lowerWithSubgroups(together);
      else lowerInThreeSteps(winogradCall);
    },
  };
}

/** A Winograd convolution in three launches: transform, products, transform back; a thread has whole tiles. */
function lowerInThreeSteps(call: WinogradCall): void {
  const { shape, lowering, input, result, epilogue, extras, tile, filters, tilesY, tilesX, images } = call;
  const elements = (tile + 2) ** 2;
  const { adapter } = lowering;
  const { batch, outHeight, outWidth, inChannels, outChannels } = shape;
  const [, , stride = 0] = filters.shape;
  const loops = memoryLoopsOf(adapter);
  // Four channels at a time where there are whole fours.
  const inValue = inChannels % 4 === 0 ? 4 : 1;
  const outValue = outChannels % 4 === 0 ? 4 : 1;
  const transformed = lowering.temporary('winograd tiles', [elements, images * tilesY * tilesX, inChannels]);
  const products = lowering.temporary('winograd products', [elements, images * tilesY * tilesX, outChannels]);
  for (let first = 0; first < batch; first += images) {
    const tiles = Math.min(images, batch - first) * tilesY * tilesX;
    const fold = (count: number): readonly [number, number, number] =>
      foldWorkgroups(Math.ceil(count / 64), adapter.limits.maxComputeWorkgroupsPerDimension);
    lowering.dispatch({
      kernel: cachedKernels(tile, loops, inValue).input,
      bindings: [input, transformed],
      parameters: {
        ...{
          count: (tiles * inChannels) / inValue,
          longest_loop: longestLoop,
          first_image: first,
          channels: inChannels / inValue,
          plane: (tiles * inChannels) / inValue,
        },
        ...{ in_height: shape.inHeight, in_width: shape.inWidth, tiles_y: tilesY, tiles_x: tilesX },
        ...{ padding_top: shape.padding.top, padding_left: shape.padding.left },
      },
      workgroups: fold((tiles * inChannels) / inValue),
    });
    dispatchProduct(lowering, fastestProduct(adapter), {
      left: transformed,
      right: filters,
      extras: [filters, filters],
      result: products,
      rows: matrixRows(tiles, inChannels, false),
      channels: outChannels,
      weightStride: stride,
      resultStride: outChannels,
      planes: {
        count: elements,
        input: tiles * inChannels,
        weight: inChannels * stride,
        result: tiles * outChannels,
        channel: 0,
      },
      epilogue: noEpilogue,
      flops: 2 * elements * tiles * inChannels * outChannels,
    });
    lowering.dispatch({
      kernel: cachedKernels(tile, loops, outValue).output,
      bindings: [products, result, ...extras],
      parameters: {
        ...{
          count: (tiles * outChannels) / outValue,
          longest_loop: longestLoop,
          first_image: first,
          channels: outChannels / outValue,
          plane: (tiles * outChannels) / outValue,
        },
        ...{ out_height: outHeight, out_width: outWidth, tiles_y: tilesY, tiles_x: tilesX },
        ...epilogue.parameters,
      },
      workgroups: fold((tiles * outChannels) / outValue),
    });
  }
}

/** F(2 × 2, 3 × 3) and F(4 × 4, 3 × 3). */
export const winogradVariants: readonly Conv2dVariant[] = [winograd(2), winograd(4)];
