import { conv2dShape, type Conv2dOptions, type Conv2dShape } from '../../src/kernels/conv2d/shape.js';
import { build64, type Array64 } from './array64.js';

/** Calls `visit` for every product of a convolution with the flat indices of input, weight and output. */
function products(shape: Conv2dShape, visit: (input: number, weight: number, output: number) => void): void {
  const inputs = shape.inChannels / shape.groups;
  const outputs = shape.outChannels / shape.groups;
  for (let b = 0; b < shape.batch; b++) {
    for (let oy = 0; oy < shape.outHeight; oy++) {
      for (let ox = 0; ox < shape.outWidth; ox++) {
        for (let ky = 0; ky < shape.kernelHeight; ky++) {
          const y = oy * shape.strideY + ky * shape.dilationY - shape.padding.top;
          if (y < 0 || y >= shape.inHeight) continue;
          for (let kx = 0; kx < shape.kernelWidth; kx++) {
            const x = ox * shape.strideX + kx * shape.dilationX - shape.padding.left;
            if (x < 0 || x >= shape.inWidth) continue;
            for (let co = 0; co < shape.outChannels; co++) {
              const first = Math.floor(co / outputs) * inputs;
              for (let ci = 0; ci < inputs; ci++) {
                visit(
                  ((b * shape.inHeight + y) * shape.inWidth + x) * shape.inChannels + first + ci,
                  ((ky * shape.kernelWidth + kx) * inputs + ci) * shape.outChannels + co,
                  ((b * shape.outHeight + oy) * shape.outWidth + ox) * shape.outChannels + co,
                );
              }
            }
          }
        }
      }
    }
  }
}

function gather(shape: readonly number[], fill: (data: Float64Array) => void): Array64 {
  const made = build64(shape, () => 0);
  fill(made.data);
  return made;
}

/** Convolution, NHWC by [kernel height, kernel width, in, out], from its definition. */
export function convolution64(x: Array64, w: Array64, options: Conv2dOptions): Array64 {
  const shape = conv2dShape(x.shape, w.shape, options);
  return gather([shape.batch, shape.outHeight, shape.outWidth, shape.outChannels], (data) => {
    products(shape, (i, j, o) => (data[o] = (data[o] ?? 0) + (x.data[i] ?? 0) * (w.data[j] ?? 0)));
  });
}

/** Gradient with respect to the input: every product, transposed. */
export function convolutionInputGradient64(
  inputShape: readonly number[],
  w: Array64,
  g: Array64,
  options: Conv2dOptions,
): Array64 {
  const shape = conv2dShape(inputShape, w.shape, options);
  return gather(inputShape, (data) => {
    products(shape, (i, j, o) => (data[i] = (data[i] ?? 0) + (w.data[j] ?? 0) * (g.data[o] ?? 0)));
  });
}

/** Gradient with respect to the weights: every product, transposed. */
export function convolutionWeightGradient64(
  x: Array64,
  weightShape: readonly number[],
  g: Array64,
  options: Conv2dOptions,
): Array64 {
  const shape = conv2dShape(x.shape, weightShape, options);
  return gather(weightShape, (data) => {
    products(shape, (i, j, o) => (data[j] = (data[j] ?? 0) + (x.data[i] ?? 0) * (g.data[o] ?? 0)));
  });
}
