import type { Graph, Tensor } from '../../engine/graph.js';
import { elementCount, type HostTensor, type Shape } from '../../engine/tensor.js';
import { addBias } from '../../kernels/epilogue.js';
import { conv2d } from '../../kernels/conv2d/conv2d.js';
import type { BackboneWeights, NetworkVariant } from '../weights/network-weights.js';
import type { ConvolutionUnit } from '../weights/mobilenet-v2-layout.js';

/** What a network is built from: its name, for the names of parameters, and its weights. */
export interface NetworkSource {
  readonly name: string;
  /** Undefined when only planning; loading a program then fails. */
  readonly weights: BackboneWeights | undefined;
}

/** A convolution with its batch norm, as a network's layout names it. */
export type ConvolutionNames = Pick<ConvolutionUnit, 'conv' | 'batchNorm' | 'shape' | 'stride' | 'groups'>;

/**
 * Appends a convolution and its bias, square and padded so that the output is `ceil(input / stride)` pixels, on the sides
 * that the weights' variant says. The batch norm, where the weights have it apart, is folded in f64 when the program is
 * loaded, so that a graph is the same for both kinds of weights.
 */
export function convolutionUnit(graph: Graph, source: NetworkSource, input: Tensor, unit: ConvolutionNames): Tensor {
  const [outChannels, groupChannels, kernel] = unit.shape;
  const shape: Shape = [kernel, kernel, groupChannels, outChannels];
  const contents = lazily(() => foldedConvolution(source, unit));
  const owner = 'weights';
  const weight = graph.parameter(`${source.name}.${unit.conv}.weight`, shape, {
    contents: () => contents().weight,
    owner,
  });
  const bias = graph.parameter(`${source.name}.${unit.conv}.bias`, [outChannels], {
    contents: () => contents().bias,
    owner,
  });
  const [, height = 1, width = 1] = input.shape;
  const padding = source.weights?.variant.padding ?? 'symmetric';
  const [top, bottom] = paddingAround(height, kernel, unit.stride, padding);
  const [left, right] = paddingAround(width, kernel, unit.stride, padding);
  const options = { stride: unit.stride, padding: { top, bottom, left, right }, groups: unit.groups };
  return addBias(graph, conv2d(graph, input, weight, options), bias);
}

/** Pixels in front of and behind an axis of `size` pixels. */
export function paddingAround(
  size: number,
  kernel: number,
  stride: number,
  kind: NetworkVariant['padding'],
): readonly [number, number] {
  if (kind === 'symmetric' || stride === 1) return [(kernel - 1) >> 1, (kernel - 1) >> 1];
  const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + kernel - size);
  return [total >> 1, total - (total >> 1)];
}

/** Weights `[kh, kw, in / groups, out]` and bias of a convolution with its batch norm folded in. */
function foldedConvolution(source: NetworkSource, unit: ConvolutionNames): { weight: HostTensor; bias: HostTensor } {
  const kernel = tensorOf(source, `${unit.conv}.weight`);
  const [outChannels = 0] = kernel.shape;
  const scale = new Float64Array(outChannels).fill(1);
  const shift = new Float64Array(outChannels);
  const own = source.weights?.tensors.get(`${unit.conv}.bias`)?.data;
  if (own) shift.set(own);
  if (source.weights?.tensors.has(`${unit.batchNorm}.running_mean`)) {
    const part = (name: string): Float32Array => tensorOf(source, `${unit.batchNorm}.${name}`).data;
    const [gain, offset, mean, variance] = ['weight', 'bias', 'running_mean', 'running_var'].map(part);
    const { batchNormEpsilon } = source.weights.variant;
    for (let o = 0; o < outChannels; o++) {
      // A variance that was quantised may have become negative.
      const factor = (gain?.[o] ?? 1) / Math.sqrt(Math.max(0, variance?.[o] ?? 1) + batchNormEpsilon);
      scale[o] = factor;
      shift[o] = (offset?.[o] ?? 0) + ((shift[o] ?? 0) - (mean?.[o] ?? 0)) * factor;
    }
  }
  return {
    weight: hwioWeights(kernel, scale),
    bias: { shape: [outChannels], data: Float32Array.from(shift) },
  };
}

/** OIHW to HWIO, each output channel scaled. */
export function hwioWeights(kernel: HostTensor, scale?: Float64Array): HostTensor {
  const [outChannels = 0, inChannels = 0, height = 0, width = 0] = kernel.shape;
  const data = new Float32Array(elementCount(kernel.shape));
  const taps = height * width;
  for (let o = 0; o < outChannels; o++) {
    const factor = scale?.[o] ?? 1;
    for (let i = 0; i < inChannels; i++) {
      const from = (o * inChannels + i) * taps;
      for (let tap = 0; tap < taps; tap++) {
        data[(tap * inChannels + i) * outChannels + o] = (kernel.data[from + tap] ?? 0) * factor;
      }
    }
  }
  return { shape: [height, width, inChannels, outChannels], data };
}

function tensorOf({ name, weights }: NetworkSource, tensor: string): HostTensor {
  const found = weights?.tensors.get(tensor);
  if (!found) throw new Error(`${name} was made for planning only: it has no ${tensor}`);
  return found;
}

/** Computes once what two parameters need, and keeps it only until both have taken it. */
function lazily<T>(compute: () => T): () => T {
  let kept: T | undefined;
  return () => {
    const value = kept ?? compute();
    kept = kept === undefined ? value : undefined;
    return value;
  };
}
