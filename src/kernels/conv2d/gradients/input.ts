import type { Graph, Lowering, Operator, Tensor, Variant } from '../../../engine/graph.js';
import { foldWorkgroups } from '../../../engine/kernel.js';
import { elementCount } from '../../../engine/tensor.js';
import { packing, wrong } from '../../shapes.js';
import { conv2d, lowerConv2d } from '../conv2d.js';
import { conv2dFlops, conv2dKey, conv2dShape, type Conv2dOptions, type Conv2dShape } from '../shape.js';
import { shapeParameters } from '../variant.js';
import flipSource from './flip-weights.wgsl';
import naiveSource from './input-naive.wgsl';
import { inputGradientPhases, type AxisPhase } from './phases.js';
import placeSource from './place-phase.wgsl';
import { conv2dWeightGradient } from './weight.js';

interface InputGradientCall {
  readonly shape: Conv2dShape;
  readonly lowering: Lowering;
  readonly gradient: Tensor;
  readonly weight: Tensor;
  readonly result: Tensor;
}

/** One way to compute the gradient with respect to the input. */
interface InputGradientVariant extends Variant {
  applies(shape: Conv2dShape): boolean;
  lower(call: InputGradientCall): void;
}

const workgroups = (count: number, lowering: Lowering): readonly [number, number, number] =>
  foldWorkgroups(Math.ceil(count / 64), lowering.adapter.limits.maxComputeWorkgroupsPerDimension);

const convolution: InputGradientVariant = {
  name: 'convolution',
  applies: (shape) => inputGradientPhases(shape) !== undefined,
  lower(call) {
    const phases = inputGradientPhases(call.shape) ?? [];
    for (const { vertical, horizontal } of phases) {
      const reached = vertical.taps > 0 && horizontal.taps > 0;
      const whole = phases.length === 1;
      const phase = !reached
        ? call.gradient
        : whole
          ? call.result
          : call.lowering.temporary('input-gradient.phase', [
              call.shape.batch,
              vertical.count,
              horizontal.count,
              call.shape.inChannels,
            ]);
      if (reached) convolvePhase(call, vertical, horizontal, phase);
      if (!whole || !reached) placePhase(call, vertical, horizontal, phase, !reached);
    }
  },
};

function convolvePhase(
  { shape, lowering, gradient, weight }: InputGradientCall,
  vertical: AxisPhase,
  horizontal: AxisPhase,
  result: Tensor,
): void {
  const { inChannels, outChannels } = shape;
  const kernelShape = [vertical.taps, horizontal.taps, outChannels, inChannels];
  const flipped = lowering.temporary(`${weight.name} flipped`, kernelShape);
  const count = elementCount(kernelShape);
  lowering.dispatch({
    kernel: { name: 'flip-weights', source: flipSource },
    bindings: [weight, flipped],
    parameters: {
      count,
      taps_y: vertical.taps,
      taps_x: horizontal.taps,
      first_y: vertical.firstTap,
      first_x: horizontal.firstTap,
      stride_y: shape.strideY,
      stride_x: shape.strideX,
      kernel_width: shape.kernelWidth,
      in_channels: inChannels,
      out_channels: outChannels,
    },
    workgroups: workgroups(count, lowering),
  });
  const padding = {
    top: vertical.before,
    bottom: vertical.after,
    left: horizontal.before,
    right: horizontal.after,
  };
  lowerConv2d({
    shape: conv2dShape([shape.batch, shape.outHeight, shape.outWidth, outChannels], kernelShape, { padding }),
    lowering,
    input: gradient,
    weight: flipped,
    result,
  });
}

function placePhase(
  { shape, lowering, result }: InputGradientCall,
  vertical: AxisPhase,
  horizontal: AxisPhase,
  phase: Tensor,
  zero: boolean,
): void {
  const packed = packing(shape.inChannels);
  const count = (shape.batch * vertical.count * horizontal.count * shape.inChannels) / packed.width;
  lowering.dispatch({
    kernel: {
      name: `place-phase/${zero ? 'zero-' : ''}${packed.suffix}`,
      source: placeSource,
      aliases: packed.aliases,
      constants: { ZERO: zero },
    },
    bindings: [phase, result],
    parameters: {
      count,
      phase_height: vertical.count,
      phase_width: horizontal.count,
      height: shape.inHeight,
      width: shape.inWidth,
      channels: shape.inChannels / packed.width,
      first_y: vertical.first,
      first_x: horizontal.first,
      stride_y: shape.strideY,
      stride_x: shape.strideX,
    },
    workgroups: workgroups(count, lowering),
  });
}

const naive: InputGradientVariant = {
  name: 'naive',
  applies: () => true,
  lower({ shape, lowering, gradient, weight, result }) {
    const count = elementCount(result.shape);
    lowering.dispatch({
      kernel: { name: 'conv2d-input-gradient/naive', source: naiveSource },
      bindings: [gradient, weight, result],
      parameters: { count, ...shapeParameters(shape) },
      workgroups: workgroups(count, lowering),
      flops: conv2dFlops(shape),
    });
  },
};

/** All ways to compute the gradient with respect to the input, best first. */
export const inputGradientVariants: readonly InputGradientVariant[] = [convolution, naive];

interface InputGradientAttributes {
  readonly shape: Conv2dShape;
}

const inputGradientOperator: Operator<InputGradientAttributes> = {
  name: 'conv2d-input-gradient',
  lower(node, lowering) {
    const { shape } = node.attributes;
    const [gradient, weight] = node.inputs;
    const [result] = node.outputs;
    if (!gradient || !weight || !result) throw new Error('conv2d-input-gradient wants a gradient and weights');
    const variants = inputGradientVariants.filter((variant) => variant.applies(shape));
    const variant = lowering.choose('conv2d-input-gradient', conv2dKey(shape), variants, variants[0] ?? naive);
    variant.lower({ shape, lowering, gradient, weight, result });
  },
  gradient(node, [incoming], graph) {
    const { shape } = node.attributes;
    const [gradient, weight] = node.inputs;
    if (!incoming || !gradient || !weight) return [];
    // A map that is linear in both: its transpose is the convolution it came from.
    return [conv2d(graph, incoming, weight, optionsOf(shape)), conv2dWeightGradient(graph, incoming, gradient, shape)];
  },
};

function optionsOf(shape: Conv2dShape): Conv2dOptions {
  return {
    stride: [shape.strideY, shape.strideX],
    dilation: [shape.dilationY, shape.dilationX],
    padding: shape.padding,
    groups: shape.groups,
  };
}

/**
 * Gradient of a convolution with respect to its input: for each remainder of the stride a convolution of stride 1 with
 * the taps that reach it, by the fast forward kernels.
 *
 * @param gradient `[n, out height, out width, out channels]` with respect to the result.
 * @param weight `[kernel height, kernel width, c / groups, out channels]`.
 * @returns `[n, h, w, c]`
 */
export function conv2dInputGradient(graph: Graph, gradient: Tensor, weight: Tensor, shape: Conv2dShape): Tensor {
  return graph.apply(inputGradientOperator, [gradient, weight], { shape }, [
    shape.batch,
    shape.inHeight,
    shape.inWidth,
    shape.inChannels,
  ]);
}

/**
 * Transposed convolution without padding, the map that a convolution's gradient takes: every input pixel adds its
 * multiple of the kernel to the output, at `stride` times its place.
 *
 * @param input `[n, h, w, in channels]`.
 * @param weight `[kernel height, kernel width, out channels, in channels]`: that of the convolution which leads back.
 * @returns `[n, (h − 1) · stride + kernel height, (w − 1) · stride + kernel width, out channels]`
 */
export function convTranspose2d(
  graph: Graph,
  input: Tensor,
  weight: Tensor,
  options: { readonly stride: number },
): Tensor {
  const [batch = 0, height = 0, width = 0, channels = 0] = input.shape;
  const [kernelHeight = 0, kernelWidth = 0, outChannels = 0, inChannels = 0] = weight.shape;
  if (input.shape.length !== 4 || weight.shape.length !== 4 || channels !== inChannels) {
    throw wrong('conv-transpose2d', `[${input.shape.join(', ')}] does not fit [${weight.shape.join(', ')}]`);
  }
  const { stride } = options;
  const result = [batch, (height - 1) * stride + kernelHeight, (width - 1) * stride + kernelWidth, outChannels];
  return conv2dInputGradient(graph, input, weight, conv2dShape(result, weight.shape, { stride }));
}
