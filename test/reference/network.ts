import { sizes, type Array64 } from './array64.js';

/** How a reference convolution steps over its input. */
export interface ConvolutionReference {
  readonly stride: number;
  /** Zeros above, below, left and right. */
  readonly padding: readonly [number, number, number, number];
  readonly groups: number;
}

/** Convolution of NHWC `x` with an OIHW kernel, from its definition, in f64. */
export function convolutionReference(
  x: Array64,
  kernel: { readonly shape: readonly number[]; readonly data: ArrayLike<number> },
  bias: ArrayLike<number> | undefined,
  { stride, padding, groups }: ConvolutionReference,
): Array64 {
  const [batch, height, width, channels] = sizes(x);
  const [outChannels = 0, groupChannels = 0, kernelHeight = 0, kernelWidth = 0] = kernel.shape;
  const [top, bottom, left, right] = padding;
  const outHeight = Math.floor((height + top + bottom - kernelHeight) / stride) + 1;
  const outWidth = Math.floor((width + left + right - kernelWidth) / stride) + 1;
  const data = new Float64Array(batch * outHeight * outWidth * outChannels);
  const perGroup = outChannels / groups;
  // The taps as the outermost loop of a pixel, so that the channels of input and weights are walked in order.
  const weights = Float64Array.from(kernel.data);
  let at = 0;
  for (let b = 0; b < batch; b++) {
    for (let oy = 0; oy < outHeight; oy++) {
      for (let ox = 0; ox < outWidth; ox++) {
        for (let o = 0; o < outChannels; o++) {
          const firstChannel = Math.floor(o / perGroup) * groupChannels;
          let sum = bias?.[o] ?? 0;
          for (let j = 0; j < kernelHeight; j++) {
            const y = oy * stride + j - top;
            if (y < 0 || y >= height) continue;
            for (let i = 0; i < kernelWidth; i++) {
              const xx = ox * stride + i - left;
              if (xx < 0 || xx >= width) continue;
              const from = ((b * height + y) * width + xx) * channels + firstChannel;
              const tap = j * kernelWidth + i;
              for (let c = 0; c < groupChannels; c++) {
                sum +=
                  (x.data[from + c] ?? 0) * (weights[(o * groupChannels + c) * kernelHeight * kernelWidth + tap] ?? 0);
              }
            }
          }
          data[at++] = sum;
        }
      }
    }
  }
  return { shape: [batch, outHeight, outWidth, outChannels], data };
}

/** Batch norm in evaluation, channels last. */
export function batchNormReference(
  x: Array64,
  parts: Record<'weight' | 'bias' | 'mean' | 'variance', ArrayLike<number>>,
  epsilon: number,
): Array64 {
  const channels = x.shape.at(-1) ?? 1;
  const data = x.data.map((value, index) => {
    const c = index % channels;
    const deviation = Math.sqrt((parts.variance[c] ?? 0) + epsilon);
    return ((value - (parts.mean[c] ?? 0)) / deviation) * (parts.weight[c] ?? 0) + (parts.bias[c] ?? 0);
  });
  return { shape: x.shape, data };
}

/** min(max(x, 0), limit). */
export function clampReference(x: Array64, limit = Infinity): Array64 {
  return { shape: x.shape, data: x.data.map((value) => Math.min(Math.max(value, 0), limit)) };
}

/** Sum of two tensors of one shape. */
export function addReference(a: Array64, b: Array64): Array64 {
  return { shape: a.shape, data: a.data.map((value, index) => value + (b.data[index] ?? NaN)) };
}
