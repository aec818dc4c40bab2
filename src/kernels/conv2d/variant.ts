import type { AdapterProfile } from '../../engine/adapter.js';
import type { Lowering, Tensor, Variant } from '../../engine/graph.js';
import type { EpilogueInputs } from '../epilogue.js';
import type { Conv2dShape } from './shape.js';

/** One convolution that is being lowered. */
export interface Conv2dCall {
  readonly shape: Conv2dShape;
  readonly lowering: Lowering;
  readonly input: Tensor;
  readonly result: Tensor;
  /** Weights (batch norm folded in), bias, residual and their parameters. */
  readonly epilogue: EpilogueInputs;
  /** Bindings 2 and 3 of every kernel with an epilogue; the weights stand in for what is absent. */
  readonly extras: readonly [Tensor, Tensor];
}

/** One way to compute a convolution. */
export interface Conv2dVariant extends Variant {
  /** Whether it can compute this shape on this adapter; `weight` tells whether its contents are known while loading. */
  applies(shape: Conv2dShape, adapter: AdapterProfile, weight: Tensor): boolean;
  lower(call: Conv2dCall): void;
}

/** The fields of Params that describe the shape. */
export function shapeParameters(shape: Conv2dShape): Record<string, number> {
  return {
    in_height: shape.inHeight,
    in_width: shape.inWidth,
    in_channels: shape.inChannels,
    out_height: shape.outHeight,
    out_width: shape.outWidth,
    out_channels: shape.outChannels,
    kernel_height: shape.kernelHeight,
    kernel_width: shape.kernelWidth,
    stride_y: shape.strideY,
    stride_x: shape.strideX,
    dilation_y: shape.dilationY,
    dilation_x: shape.dilationX,
    padding_top: shape.padding.top,
    padding_left: shape.padding.left,
    group_inputs: shape.inChannels / shape.groups,
    group_outputs: shape.outChannels / shape.groups,
  };
}
