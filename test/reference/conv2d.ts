import type { Conv2dShape } from '../../src/kernels/conv2d/shape.js';
import type { HostTensor } from '../../src/engine/tensor.js';
import type { Reference } from '../kernels/harness.js';

/**
 * Convolution in f64 over f32 inputs, NHWC with weights [kh, kw, c / groups, out]. The bounds are those of a sum in f32:
 * 2 · terms · 2⁻²⁴ · Σ|ab|, at least the rounding of the result itself.
 */
export function referenceConv2d(shape: Conv2dShape, input: HostTensor, weight: HostTensor): Reference {
  const { batch, inHeight, inWidth, inChannels, outHeight, outWidth, outChannels, groups } = shape;
  const { kernelHeight, kernelWidth, padding } = shape;
  const groupInputs = inChannels / groups;
  const groupOutputs = outChannels / groups;
  const values = new Float64Array(batch * outHeight * outWidth * outChannels);
  const bounds = new Float64Array(values.length);
  const terms = kernelHeight * kernelWidth * groupInputs;
  let at = 0;
  for (let image = 0; image < batch; image++) {
    for (let y = 0; y < outHeight; y++) {
      for (let x = 0; x < outWidth; x++) {
        for (let channel = 0; channel < outChannels; channel++) {
          const first = Math.floor(channel / groupOutputs) * groupInputs;
          let sum = 0;
          let magnitude = 0;
          for (let ky = 0; ky < kernelHeight; ky++) {
            const iy = y * shape.strideY + ky * shape.dilationY - padding.top;
            if (iy < 0 || iy >= inHeight) continue;
            for (let kx = 0; kx < kernelWidth; kx++) {
              const ix = x * shape.strideX + kx * shape.dilationX - padding.left;
              if (ix < 0 || ix >= inWidth) continue;
              const pixel = ((image * inHeight + iy) * inWidth + ix) * inChannels + first;
              const tap = (ky * kernelWidth + kx) * groupInputs;
              for (let c = 0; c < groupInputs; c++) {
                const product = (input.data[pixel + c] ?? 0) * (weight.data[(tap + c) * outChannels + channel] ?? 0);
                sum += product;
                magnitude += Math.abs(product);
              }
            }
          }
          values[at] = sum;
          bounds[at++] = 2 * terms * 2 ** -24 * magnitude;
        }
      }
    }
  }
  return { values, bounds };
}
