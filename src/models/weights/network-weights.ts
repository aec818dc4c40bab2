import type { NamedTensors } from '../../engine/tensor.js';

/** Backbones that Tilesight has graphs for. */
export type NetworkName = 'mobilenet-v2' | 'resnet18' | 'resnet50' | 'wide-resnet50-2';

/**
 * What a network expects of its input. An 8-bit pixel value v of channel c becomes `(v * scale - mean[c]) / std[c]`,
 * with the channels, also those of `mean` and `std`, in `channelOrder`.
 */
export interface Preprocessing {
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
  readonly channelOrder: 'rgb' | 'bgr';
  /** 1/255 for networks that were trained on 0–1, 1 for those trained on 0–255. */
  readonly scale: number;
}

/** In what a trained network departs from torchvision's graph of the same name. */
export interface NetworkVariant {
  /** Which convolution of a down-sampling bottleneck block has the stride: torchvision's `3x3`, or the first `1x1` as in Caffe. */
  readonly bottleneckStride: '3x3' | '1x1';
  /** The 3×3/2 max pool behind a ResNet's stem: one pixel of padding, or none with the output size rounded up (Caffe). */
  readonly stemPool: 'padded' | 'ceil-no-padding';
  /** Padding of stride-2 convolutions: the same on all sides, or Keras SAME, (0,1,0,1) for top, bottom, left, right on even sizes. */
  readonly padding: 'symmetric' | 'keras-same';
  /** Added to the variance of every batch norm that is not folded. */
  readonly batchNormEpsilon: number;
}

/** A backbone's weights with all that belongs to them. Preprocessing comes from here, never from the code path. */
export interface BackboneWeights {
  /** The network the tensors look like; undefined if none that is known. */
  readonly network: NetworkName | undefined;
  /**
   * Tensors under torchvision's names (`conv1.weight`, `layer1.0.conv1.weight`, `features.1.conv.0.0.weight`, …), kernels OIHW;
   * behind each convolution either `<conv>.bias` (batch norm folded) or a batch norm (`bn1.weight`, `.bias`, `.running_mean`,
   * `.running_var`). The classifier is left out.
   */
  readonly tensors: NamedTensors;
  readonly preprocessing: Preprocessing;
  readonly variant: NetworkVariant;
  /** Where the weights come from and what they were trained on, in a sentence. */
  readonly provenance: string;
  /** SPDX expression or `unknown`. */
  readonly licence: string;
}
