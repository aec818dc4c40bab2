import type { Shape } from '../../engine/tensor.js';

/** Padding of the image in pixels. */
export interface Padding {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/** Options of a convolution. */
export interface Conv2dOptions {
  /** Step of the output over the input in pixels, `[vertical, horizontal]` or both; default 1. */
  readonly stride?: number | readonly [number, number];
  /** Zeros around the image; default 0. */
  readonly padding?: number | Padding;
  /** Distance of the kernel's taps in pixels; default 1. */
  readonly dilation?: number | readonly [number, number];
  /** Groups of channels that do not see each other; as many as input channels is a depthwise convolution. Default 1. */
  readonly groups?: number;
}

/** Everything a convolution's kernels and their choice depend on. Layout NHWC, weights [height, width, in / groups, out]. */
export interface Conv2dShape {
  readonly batch: number;
  readonly inHeight: number;
  readonly inWidth: number;
  readonly inChannels: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly outChannels: number;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  readonly strideY: number;
  readonly strideX: number;
  readonly dilationY: number;
  readonly dilationX: number;
  readonly padding: Padding;
  readonly groups: number;
}

/**
 * The shape of a convolution of `input` [n, h, w, c] with `weight` [kh, kw, c / groups, out].
 *
 * @throws when the two do not fit or no output is left.
 */
export function conv2dShape(input: Shape, weight: Shape, options: Conv2dOptions): Conv2dShape {
  const [batch = 0, inHeight = 0, inWidth = 0, inChannels = 0] = input;
  const [kernelHeight = 0, kernelWidth = 0, groupInputs = 0, outChannels = 0] = weight;
  const [strideY, strideX] = pair(options.stride ?? 1);
  const [dilationY, dilationX] = pair(options.dilation ?? 1);
  const all = options.padding ?? 0;
  const padding = typeof all === 'number' ? { top: all, bottom: all, left: all, right: all } : all;
  const groups = options.groups ?? 1;
  const reachY = (kernelHeight - 1) * dilationY + 1;
  const reachX = (kernelWidth - 1) * dilationX + 1;
  const outHeight = Math.floor((inHeight + padding.top + padding.bottom - reachY) / strideY) + 1;
  const outWidth = Math.floor((inWidth + padding.left + padding.right - reachX) / strideX) + 1;
  const problem =
    input.length !== 4 || weight.length !== 4
      ? 'both need four dimensions'
      : groupInputs * groups !== inChannels
        ? `${inChannels} channels are not ${groups} groups of ${groupInputs}`
        : outChannels % groups !== 0
          ? `${outChannels} output channels do not split into ${groups} groups`
          : !(outHeight >= 1 && outWidth >= 1)
            ? 'the kernel is larger than the padded image'
            : undefined;
  if (problem) throw new Error(`convolution of [${input.join(', ')}] with [${weight.join(', ')}]: ${problem}`);
  return {
    ...{ batch, inHeight, inWidth, inChannels, outHeight, outWidth, outChannels, kernelHeight, kernelWidth },
    ...{ strideY, strideX, dilationY, dilationX, padding, groups },
  };
}

/** Arithmetic of the plain sum; a multiply-add counts two. */
export function conv2dFlops(shape: Conv2dShape): number {
  const { batch, outHeight, outWidth, outChannels, kernelHeight, kernelWidth, inChannels, groups } = shape;
  return 2 * batch * outHeight * outWidth * outChannels * kernelHeight * kernelWidth * (inChannels / groups);
}

/** Whether each channel is convolved by itself, one output channel an input channel. */
export function isDepthwise(shape: Conv2dShape): boolean {
  return shape.groups > 1 && shape.groups === shape.inChannels && shape.outChannels === shape.inChannels;
}

/**
 * What a measured winner is remembered under: everything but the batch, so that results do not depend on how tiles are
 * grouped.
 */
export function conv2dKey(shape: Conv2dShape): string {
  const { inHeight, inWidth, inChannels, outChannels, kernelHeight, kernelWidth, padding } = shape;
  return [
    `${inHeight}x${inWidth}x${inChannels}-${outChannels}`,
    `k${kernelHeight}x${kernelWidth}`,
    `s${shape.strideY}x${shape.strideX}`,
    `p${padding.top}.${padding.bottom}.${padding.left}.${padding.right}`,
    `d${shape.dilationY}x${shape.dilationX}`,
    `g${shape.groups}`,
  ].join(' ');
}

function pair(value: number | readonly [number, number]): readonly [number, number] {
  return typeof value === 'number' ? [value, value] : value;
}
