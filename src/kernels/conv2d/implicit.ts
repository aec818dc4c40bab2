import type { Tensor } from '../../engine/graph.js';
import { foldWorkgroups, type Kernel } from '../../engine/kernel.js';
import { elementCount } from '../../engine/tensor.js';
import epilogueSource from '../epilogue.wgsl';
import {
  dispatchProduct,
  fastestProduct,
  noEpilogue,
  onePlane,
  paddedColumns,
  productRuns,
  type ProductKernelName,
  type ProductPlanes,
  type ProductRows,
} from '../product/product.js';
import sumSource from '../product/sum-slices.wgsl';
import { conv2dFlops, type Conv2dShape } from './shape.js';
import type { Conv2dCall, Conv2dVariant } from './variant.js';

/** A convolution's input as the left operand of an implicit matrix product: one row an output pixel. */
export function convolutionRows(shape: Conv2dShape): ProductRows {
  const { batch, inHeight, inWidth, inChannels, outHeight, outWidth, kernelHeight, kernelWidth, groups } = shape;
  // A line of the kernel is one run where its taps lie side by side.
  const whole = groups === 1 && (shape.dilationX === 1 || kernelWidth === 1);
  return {
    rows: batch * outHeight * outWidth,
    lines: inHeight,
    line_length: inWidth * inChannels,
    out_lines: outHeight,
    out_line_rows: outWidth,
    stride_lines: shape.strideY,
    stride: shape.strideX * inChannels,
    dilation_lines: shape.dilationY,
    dilation: shape.dilationX * inChannels,
    padding_lines: shape.padding.top,
    padding: shape.padding.left * inChannels,
    taps_y: kernelHeight,
    taps_x: whole ? 1 : kernelWidth,
    run: (inChannels / groups) * (whole ? kernelWidth : 1),
    step: 1,
  };
}

/** Groups as planes; each must fill whole vec4 columns. */
function groupsFit({ groups, outChannels }: Conv2dShape): boolean {
  return groups === 1 || (outChannels / groups) % 4 === 0;
}

function groupPlanes({ groups, inChannels, outChannels }: Conv2dShape): ProductPlanes {
  if (groups === 1) return onePlane;
  const outputs = outChannels / groups;
  return { count: groups, input: inChannels / groups, weight: outputs, result: outputs, channel: outputs };
}

function lowerProduct(name: ProductKernelName, call: Conv2dCall, weight: Tensor): void {
  const { shape, lowering } = call;
  const { outChannels, groups } = shape;
  const right = paddedColumns(lowering, weight, outChannels);
  dispatchProduct(lowering, name, {
    left: call.input,
    right: right.tensor,
    extras: call.extras,
    result: call.result,
    rows: convolutionRows(shape),
    channels: outChannels / groups,
    weightStride: right.stride,
    resultStride: outChannels,
    planes: groupPlanes(shape),
    epilogue: call.epilogue.parameters,
    flops: conv2dFlops(shape),
  });
}

function productVariant(name: ProductKernelName): Conv2dVariant {
  return {
    name,
    applies: (shape, adapter) => groupsFit(shape) && productRuns(name, adapter),
    lower: (call) => lowerProduct(name, call, call.epilogue.weight),
  };
}

/** Register tile without shared memory, subgroup broadcasts, workgroup memory, and matrix units. */
export const productVariants = (['direct', 'subgroup', 'shared', 'subgroup-matrix'] as const).map(productVariant);

/** The subgroup variant with weights stored in 16 bits, sums in 32: half the bytes of weights. Only where it is asked for. */
export const subgroupHalf: Conv2dVariant = {
  name: 'subgroup-f16',
  applies: (shape, adapter, weight) =>
    groupsFit(shape) &&
    shape.outChannels % 4 === 0 &&
    productRuns('subgroup', adapter) &&
    adapter.features.has('shader-f16') &&
    weight.contents !== undefined,
  lower(call) {
    const { weight } = call.epilogue;
    const half = call.lowering.derived(weight, 'f16', weight.shape, (host) => host, 'f16');
    lowerProduct('subgroup', call, half ?? weight);
  },
};

const sumKernel: Kernel = { name: 'conv2d/sum-slices', source: `${sumSource}\n${epilogueSource}` };

/** Slices of the sum over input channels in {@link splitSum}: a function of the shape without the batch. */
function slices({ inChannels, groups }: Conv2dShape): number {
  if (groups !== 1) return 1;
  return [8, 4, 2].find((count) => inChannels % count === 0 && inChannels / count >= 32) ?? 1;
}

/**
 * Splits the sum over input channels into slices that are computed side by side and added up by a second kernel: keeps a
 * large device busy where a deep layer has few pixels.
 */
export const splitSum: Conv2dVariant = {
  name: 'splitk',
  applies: (shape) => slices(shape) > 1,
  lower(call) {
    const { shape, lowering, result, epilogue } = call;
    const count = slices(shape);
    const { outChannels, inChannels, kernelWidth } = shape;
    const part = inChannels / count;
    const outputs = elementCount(result.shape);
    const parts = lowering.temporary('conv2d slices', [count, outputs]);
    const right = paddedColumns(lowering, epilogue.weight, outChannels);
    dispatchProduct(lowering, fastestProduct(lowering.adapter), {
      left: call.input,
      right: right.tensor,
      extras: [epilogue.weight, epilogue.weight],
      result: parts,
      rows: { ...convolutionRows(shape), taps_x: kernelWidth, run: part },
      channels: outChannels,
      weightStride: right.stride,
      resultStride: outChannels,
      tapLength: inChannels,
      planes: { count, input: part, weight: part * right.stride, result: outputs, channel: 0 },
      epilogue: noEpilogue,
      flops: conv2dFlops(shape),
    });
    lowering.dispatch({
      kernel: sumKernel,
      bindings: [parts, result, ...call.extras],
      parameters: { count: outputs, channels: outChannels, slices: count, ...epilogue.parameters },
      workgroups: foldWorkgroups(Math.ceil(outputs / 64), lowering.adapter.limits.maxComputeWorkgroupsPerDimension),
      flops: count * outputs,
    });
  },
};
