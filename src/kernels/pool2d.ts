import type { Graph, Operator, Tensor } from '../engine/graph.js';
import type { Padding } from './conv2d/shape.js';
import gradientSource from './pool2d-gradient.wgsl';
import source from './pool2d.wgsl';
import { imageShape, maskedPacking, packing, wrong } from './shapes.js';

/** How to pool. */
export interface Pool2dOptions {
  readonly mode: 'max' | 'average';
  /** Side of the square window. */
  readonly kernel: number;
  readonly stride: number;
  /** Smaller than the kernel on every side. Default 0. Padding never wins a maximum. */
  readonly padding?: number | Padding;
  /** Average only: whether padded pixels count as zeros. Default true, as in PyTorch. */
  readonly countPadding?: boolean;
  /** Rounds the output size up: a last window may reach past the padding, if it starts inside it (PyTorch's rule). */
  readonly ceil?: boolean;
}

interface PoolAttributes extends Pool2dOptions {
  readonly padding: Padding;
}

function outputSize(size: number, before: number, after: number, { kernel, stride, ceil }: Pool2dOptions): number {
  const steps = (size + before + after - kernel) / stride;
  if (!ceil) return Math.floor(steps) + 1;
  const count = Math.ceil(steps) + 1;
  return (count - 1) * stride >= size + before ? count - 1 : count;
}

function shared(attributes: PoolAttributes): {
  constants: Record<string, number | boolean>;
  parameters: (height: number, width: number) => Record<string, number>;
  name: string;
} {
  const { mode, kernel, stride, padding, countPadding = true } = attributes;
  return {
    name: `${mode}-${kernel}`,
    constants: { KERNEL: kernel, AVERAGE: mode === 'average', COUNT_PADDING: countPadding },
    parameters: (height, width) => ({
      stride,
      top: padding.top,
      left: padding.left,
      bottomEnd: height + padding.bottom,
      rightEnd: width + padding.right,
    }),
  };
}

const pool2dOperator: Operator<PoolAttributes> = {
  name: 'pool2d',
  lower(node, lowering) {
    const [input] = node.inputs;
    const [result] = node.outputs;
    if (!input || !result) throw new Error('pool2d wants one input');
    const { batch, height, width, channels } = imageShape('pool2d', input);
    const out = imageShape('pool2d', result);
    const packed = packing(channels);
    const { name, constants, parameters } = shared(node.attributes);
    lowering.dispatch({
      kernel: { name: `pool2d/${name}-${packed.suffix}`, source, constants, aliases: packed.aliases },
      bindings: [input, result],
      parameters: {
        height,
        width,
        channels: channels / packed.width,
        outWidth: out.width,
        ...parameters(height, width),
      },
      workgroups: [Math.ceil((out.width * channels) / packed.width / 64), out.height, batch],
      flops: batch * out.height * out.width * channels * node.attributes.kernel ** 2,
    });
  },
  gradient(node, [gradient], graph) {
    const [input] = node.inputs;
    if (!gradient || !input) return [];
    return [graph.apply(pool2dGradientOperator, [input, gradient], node.attributes, input.shape)];
  },
};

const pool2dGradientOperator: Operator<PoolAttributes> = {
  name: 'pool2d-gradient',
  lower(node, lowering) {
    const [input, gradient] = node.inputs;
    const [result] = node.outputs;
    if (!input || !gradient || !result) throw new Error('pool2d-gradient wants two inputs');
    const { batch, height, width, channels } = imageShape('pool2d-gradient', input);
    const out = imageShape('pool2d-gradient', gradient);
    const packed = maskedPacking(channels);
    const { name, constants, parameters } = shared(node.attributes);
    lowering.dispatch({
      kernel: {
        name: `pool2d-gradient/${name}-${packed.suffix}`,
        source: gradientSource,
        constants,
        aliases: packed.aliases,
      },
      bindings: [input, gradient, result],
      parameters: {
        height,
        width,
        channels: channels / packed.width,
        outHeight: out.height,
        outWidth: out.width,
        ...parameters(height, width),
      },
      workgroups: [Math.ceil((width * channels) / packed.width / 64), height, batch],
    });
  },
};

/**
 * Max or average pooling.
 *
 * @param input `[batch, height, width, channels]`.
 * @returns `[batch, outHeight, outWidth, channels]`.
 */
export function pool2d(graph: Graph, input: Tensor, options: Pool2dOptions): Tensor {
  const { batch, height, width, channels } = imageShape('pool2d', input);
  const { kernel, stride, padding: given = 0 } = options;
  const padding = typeof given === 'number' ? { top: given, bottom: given, left: given, right: given } : { ...given };
  if (!(kernel >= 1) || !(stride >= 1)) throw wrong('pool2d', `impossible kernel ${kernel} or stride ${stride}`);
  for (const side of Object.values(padding)) {
    if (side < 0 || side >= kernel) throw wrong('pool2d', `padding ${side} must be smaller than the kernel ${kernel}`);
  }
  const attributes = { ...options, padding };
  const outHeight = outputSize(height, padding.top, padding.bottom, options);
  const outWidth = outputSize(width, padding.left, padding.right, options);
  if (outHeight < 1 || outWidth < 1) {
    throw wrong('pool2d', `an image of ${height}×${width} is smaller than the kernel ${kernel}`);
  }
  return graph.apply(pool2dOperator, [input], attributes, [batch, outHeight, outWidth, channels]);
}
