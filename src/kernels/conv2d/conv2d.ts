import type { Graph, Lowering, Operator, Tensor } from '../../engine/graph.js';
import { epilogueInputs, fuseEpilogue, plainEpilogue, type EpilogueInputs, type WithEpilogue } from '../epilogue.js';
import { chooseConv2d } from './choose.js';
import { conv2dInputGradient } from './gradients/input.js';
import { conv2dWeightGradient } from './gradients/weight.js';
import { depthwise, depthwiseSubgroup } from './depthwise.js';
import { productVariants, splitSum, subgroupHalf } from './implicit.js';
import { naive } from './naive.js';
import { conv2dKey, conv2dShape, type Conv2dOptions, type Conv2dShape } from './shape.js';
import type { Conv2dVariant } from './variant.js';
import { winogradVariants } from './winograd.js';

/** All ways to compute a convolution. */
export const conv2dVariants: readonly Conv2dVariant[] = [
  naive,
  ...productVariants,
  subgroupHalf,
  splitSum,
  depthwise,
  depthwiseSubgroup,
  ...winogradVariants,
];

interface Conv2dAttributes extends WithEpilogue {
  readonly shape: Conv2dShape;
}

const conv2dOperator: Operator<Conv2dAttributes> = {
  name: 'conv2d',
  fuse: fuseEpilogue,
  lower(node, lowering) {
    const { shape } = node.attributes;
    const [input] = node.inputs;
    const [result] = node.outputs;
    if (!input || !result) throw new Error('conv2d wants an input and weights');
    lowerWithEpilogue(shape, lowering, input, result, epilogueInputs(node, lowering));
  },
  gradient(node, [gradient], graph) {
    const { shape } = node.attributes;
    const [input, weight] = node.inputs;
    if (!gradient || !input || !weight) return [];
    return [conv2dInputGradient(graph, gradient, weight, shape), conv2dWeightGradient(graph, input, gradient, shape)];
  },
};

function lowerWithEpilogue(
  shape: Conv2dShape,
  lowering: Lowering,
  input: Tensor,
  result: Tensor,
  epilogue: EpilogueInputs,
): void {
  const { weight, bias, residual } = epilogue;
  // Weights that are trained in place cannot be packed while loading, whatever they start from.
  const known = lowering.isConstant(weight) ? weight : { ...weight, contents: undefined };
  const variants = conv2dVariants.filter((variant) => variant.applies(shape, lowering.adapter, known));
  const order = chooseConv2d(shape, lowering.adapter);
  const preferred = order.flatMap((name) => variants.filter((variant) => variant.name === name))[0] ?? naive;
  const variant = lowering.choose('conv2d', conv2dKey(shape), variants, preferred);
  variant.lower({ shape, lowering, input, result, epilogue, extras: [bias ?? weight, residual ?? weight] });
}

/** Emits a convolution as a part of another operator's lowering. */
export function lowerConv2d(call: {
  readonly shape: Conv2dShape;
  readonly lowering: Lowering;
  readonly input: Tensor;
  readonly weight: Tensor;
  readonly result: Tensor;
}): void {
  const parameters = { has_bias: 0, has_residual: 0, activation: 0 };
  const epilogue = { weight: call.weight, bias: undefined, residual: undefined, parameters };
  lowerWithEpilogue(call.shape, call.lowering, call.input, call.result, epilogue);
}

/**
 * Convolution (cross-correlation, as networks use the word) of `input` [n, h, w, c] with `weight`
 * [kernel height, kernel width, c / groups, out channels]. A following {@link addBias}, {@link batchNorm}, `add`, `relu`
 * or `relu6` is fused into its store.
 *
 * @returns [n, out height, out width, out channels]
 */
export function conv2d(graph: Graph, input: Tensor, weight: Tensor, options: Conv2dOptions = {}): Tensor {
  const shape = conv2dShape(input.shape, weight.shape, options);
  return graph.apply(conv2dOperator, [input, weight], { shape, epilogue: plainEpilogue }, [
    shape.batch,
    shape.outHeight,
    shape.outWidth,
    shape.outChannels,
  ]);
}
