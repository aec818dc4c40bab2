import type { AdapterProfile } from '../engine/adapter.js';
import type { Graph, Lowering, Operator, Tensor, Variant } from '../engine/graph.js';
import { elementCount } from '../engine/tensor.js';
import type { Padding } from './conv2d/shape.js';
import gradientSource from './pool2d-gradient.wgsl';
import stripSource from './pool2d-strip.wgsl';
import subgroupSource from './pool2d-subgroup.wgsl';
import windowSource from './pool2d-window.wgsl';
import source from './pool2d.wgsl';
import { imageShape, maskedPacking, packing, wrong, type ImageShape } from './shapes.js';
import { stripWorkgroups, subgroupStrips, takesSubgroupStrips } from './strips.js';
import stripsSource from './subgroup-strips.wgsl';
import { longestLoop, stripLoopsOf, unroll } from './unroll.js';

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
  const { mode, kernel, padding, countPadding = true } = attributes;
  return {
    name: `${mode}-${kernel}`,
    constants: { KERNEL: kernel, AVERAGE: mode === 'average', COUNT_PADDING: countPadding },
    parameters: (height, width) => ({
      top: padding.top,
      left: padding.left,
      bottomEnd: height + padding.bottom,
      rightEnd: width + padding.right,
    }),
  };
}

/** One pooling, as the variants need it. */
interface Pooling {
  readonly lowering: Lowering;
  readonly input: Tensor;
  readonly result: Tensor;
  readonly shape: ImageShape;
  readonly out: ImageShape;
  readonly attributes: PoolAttributes;
}

interface PoolVariant extends Variant {
  readonly applies: (attributes: PoolAttributes, adapter: AdapterProfile) => boolean;
  readonly lower: (pooling: Pooling) => void;
}

const overlaps = ({ kernel, stride }: PoolAttributes): boolean => kernel <= 5 && stride < kernel;

/** The ways to pool: a thread an output, strips, and strips whose columns subgroups share. */
export const pool2dVariants: readonly PoolVariant[] = [
  { name: 'naive', applies: () => true, lower: lowerNaive },
  {
    name: 'strip',
    // Larger windows leave the registers, and where windows do not overlap every input is loaded once anyway.
    applies: overlaps,
    lower: lowerStrip,
  },
  {
    name: 'subgroup',
    applies: (attributes, adapter) => overlaps(attributes) && takesSubgroupStrips(adapter),
    lower: lowerSubgroup,
  },
];

function lowerNaive({ lowering, input, result, shape, out, attributes }: Pooling): void {
  const { height, width, channels } = shape;
  const packed = packing(channels);
  const { name, constants, parameters } = shared(attributes);
  lowering.dispatch({
    kernel: { name: `pool2d/${name}-${packed.suffix}`, source, constants, aliases: packed.aliases },
    bindings: [input, result],
    parameters: {
      height,
      width,
      channels: channels / packed.width,
      outWidth: out.width,
      stride: attributes.stride,
      ...parameters(height, width),
    },
    workgroups: [Math.ceil((out.width * channels) / packed.width / 64), out.height, out.batch],
    flops: elementCount(result.shape) * attributes.kernel ** 2,
  });
}

function lowerStrip({ lowering, input, result, shape, out, attributes }: Pooling): void {
  const { height, width, channels } = shape;
  const { kernel, stride } = attributes;
  const packed = packing(channels);
  const { name, constants, parameters } = shared(attributes);
  const columns = 4;
  const lines = lowering.adapter.class === 'hardware' ? 4 : 16;
  const sizes = {
    KERNEL: kernel,
    STRIDE: stride,
    WIDTH: columns,
    REACH: (columns - 1) * stride + kernel,
    KEPT: (kernel - stride) * columns,
    LEAD: Math.ceil((kernel - stride) / stride),
  };
  lowering.dispatch({
    kernel: {
      name: `pool2d/strip-${name}-${stride}-${packed.suffix}`,
      source: `${windowSource}\n${unroll(stripSource, sizes, stripLoopsOf(lowering.adapter))}`,
      constants: { ...constants, ...sizes },
      aliases: packed.aliases,
    },
    bindings: [input, result],
    parameters: {
      height,
      width,
      channels: channels / packed.width,
      outHeight: out.height,
      outWidth: out.width,
      lines,
      longest_loop: longestLoop,
      ...parameters(height, width),
    },
    workgroups: stripWorkgroups(out, packed, columns, lines),
    flops: elementCount(result.shape) * kernel ** 2,
  });
}

function lowerSubgroup({ lowering, input, result, shape, out, attributes }: Pooling): void {
  const { height, width, channels } = shape;
  const { kernel, stride } = attributes;
  const packed = packing(channels);
  const { name, constants, parameters } = shared(attributes);
  const strips = subgroupStrips(lowering.adapter, out, packed);
  const sizes = { KERNEL: kernel, STRIDE: stride, KEPT: kernel - stride, LEAD: Math.ceil((kernel - stride) / stride) };
  lowering.dispatch({
    kernel: {
      name: `pool2d/subgroup-${name}-${stride}-${packed.suffix} lanes=${strips.lanes}`,
      source: [windowSource, stripsSource, unroll(subgroupSource, sizes)].join('\n'),
      constants: { ...constants, ...sizes, SUBGROUP: strips.lanes },
      aliases: packed.aliases,
      enables: ['subgroups'],
    },
    bindings: [input, result],
    parameters: {
      ...strips.parameters,
      height,
      width,
      channels: channels / packed.width,
      outHeight: out.height,
      outWidth: out.width,
      ...parameters(height, width),
    },
    workgroups: strips.workgroups,
    flops: elementCount(result.shape) * kernel ** 2,
  });
}

const pool2dOperator: Operator<PoolAttributes> = {
  name: 'pool2d',
  lower(node, lowering) {
    const [input] = node.inputs;
    const [result] = node.outputs;
    if (!input || !result) throw new Error('pool2d wants one input');
    const { attributes } = node;
    const possible = pool2dVariants.filter((variant) => variant.applies(attributes, lowering.adapter));
    const { mode, kernel, stride } = attributes;
    const [shape, out] = [imageShape('pool2d', input), imageShape('pool2d', result)];
    // With stride 2 strips leave the lines that caches read ahead for what the loads save. On hardware a small map makes
    // too few of them.
    const strips = stride === 1 && (lowering.adapter.class !== 'hardware' || elementCount(result.shape) >= 2 ** 23);
    const wanted = lowering.adapter.class === 'lavapipe' ? 'subgroup' : strips ? 'strip' : 'naive';
    const preferred = possible.find(({ name }) => name === wanted) ?? possible[0];
    if (!preferred) throw new Error('pool2d has no variant');
    const key = `${mode}-${kernel}-${stride}-${input.shape.join('x')}`;
    const variant = lowering.choose('pool2d', key, possible, preferred);
    variant.lower({ lowering, input, result, shape, out, attributes });
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
        stride: node.attributes.stride,
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
