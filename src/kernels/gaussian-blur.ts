import { foldWorkgroups } from '../engine/kernel.js';
import type { Graph, Operator, Tensor } from '../engine/graph.js';
import { elementCount } from '../engine/tensor.js';
import source from './gaussian-blur.wgsl';
import { imageShape, table, wrong } from './shapes.js';

/** Weights of a Gaussian: exp(−x²/2σ²) at whole x from −radius to radius = int(4σ + 0.5), with sum 1. */
export function gaussianWeights(sigma: number): Float32Array {
  const radius = Math.trunc(4 * sigma + 0.5);
  const values = Array.from({ length: 2 * radius + 1 }, (_, tap) =>
    Math.exp(-((tap - radius) ** 2) / (2 * sigma ** 2)),
  );
  const total = values.reduce((sum, value) => sum + value, 0);
  return Float32Array.from(values, (value) => value / total);
}

const gaussianBlurOperator: Operator<{ sigma: number }> = {
  name: 'gaussian-blur',
  lower(node, lowering) {
    const [input, weights] = node.inputs;
    const [result] = node.outputs;
    if (!input || !weights || !result) throw new Error('gaussian-blur wants two inputs');
    const { height, width, channels } = imageShape('gaussian-blur', input);
    const count = elementCount(input.shape);
    const radius = (elementCount(weights.shape) - 1) / 2;
    const rows = lowering.temporary('gaussian-blur.rows', input.shape);
    const pass = (from: Tensor, to: Tensor, length: number, inner: number): void =>
      lowering.dispatch({
        kernel: { name: 'gaussian-blur/naive', source },
        bindings: [from, weights, to],
        parameters: { count, length, inner, radius },
        workgroups: foldWorkgroups(Math.ceil(count / 64), lowering.adapter.limits.maxComputeWorkgroupsPerDimension),
        flops: 2 * count * (2 * radius + 1),
      });
    pass(input, rows, width, channels);
    pass(rows, result, height, width * channels);
  },
};

/**
 * Gaussian blur of every channel, separable, 2·int(4σ + 0.5) + 1 taps a side. Borders are reflected about the outermost
 * pixels; where a side is shorter than the radius the reflection is repeated back and forth.
 *
 * @param input `[batch, height, width, channels]`.
 * @param options.sigma standard deviation in pixels.
 */
export function gaussianBlur(graph: Graph, input: Tensor, options: { readonly sigma: number }): Tensor {
  imageShape('gaussian-blur', input);
  if (!(options.sigma > 0) || !Number.isFinite(options.sigma)) throw wrong('gaussian-blur', `sigma ${options.sigma}`);
  const weights = table(graph, 'gaussian', gaussianWeights(options.sigma));
  return graph.apply(gaussianBlurOperator, [input, weights], options, input.shape);
}
