import * as v from 'valibot';
import { TilesightError } from '../../engine/errors.js';
import type { NamedTensors } from '../../engine/tensor.js';
import { recogniseNetwork } from './check-weights.js';
import { assertFinite } from './nonfinite.js';
import { decodeSafetensors, encodeSafetensors } from './safetensors.js';
import { torchvisionNames } from './tensor-names.js';

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

/** RGB between 0 and 1, less ImageNet's mean, by its standard deviation: torchvision and most of timm. */
export const imagenetPreprocessing: Preprocessing = {
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
  channelOrder: 'rgb',
  scale: 1 / 255,
};

/** He et al.'s Caffe networks: BGR between 0 and 255, less the mean. */
export const caffePreprocessing: Preprocessing = {
  mean: [103.06, 115.9, 123.15],
  std: [1, 1, 1],
  channelOrder: 'bgr',
  scale: 1,
};

/** torchvision's graphs as they are. */
export const torchvisionVariant: NetworkVariant = {
  bottleneckStride: '3x3',
  stemPool: 'padded',
  padding: 'symmetric',
  batchNormEpsilon: 1e-5,
};

/** He et al.'s ResNets as Caffe runs them. */
export const caffeVariant: NetworkVariant = {
  ...torchvisionVariant,
  bottleneckStride: '1x1',
  stemPool: 'ceil-no-padding',
};

/** What a file of weights says of itself beside its tensors. */
export type WeightsDescription = Pick<BackboneWeights, 'preprocessing' | 'variant' | 'provenance' | 'licence'>;

const triple = v.tuple([
  v.pipe(v.number(), v.finite()),
  v.pipe(v.number(), v.finite()),
  v.pipe(v.number(), v.finite()),
]);
const positive = v.pipe(v.number(), v.finite(), v.minValue(Number.MIN_VALUE));

const descriptionSchema = v.object({
  preprocessing: v.object({
    mean: triple,
    std: v.tuple([positive, positive, positive]),
    channelOrder: v.picklist(['rgb', 'bgr']),
    scale: positive,
  }),
  variant: v.object({
    bottleneckStride: v.picklist(['3x3', '1x1']),
    stemPool: v.picklist(['padded', 'ceil-no-padding']),
    padding: v.picklist(['symmetric', 'keras-same']),
    batchNormEpsilon: positive,
  }),
  provenance: v.string(),
  licence: v.string(),
});

/** Key of the description in the metadata of a safetensors file that Tilesight wrote; its value is JSON. */
const descriptionKey = 'tilesight.weights';

/**
 * Reads a safetensors file of a backbone: one that Tilesight wrote, or one with torchvision's or timm's names, batch norm folded or
 * not. What a foreign file does not say is taken from its names: torchvision's preprocessing and graph, or Caffe's where the metadata
 * say that a ResNet comes from there. Throws `TilesightError('input')` for a damaged file and for NaN or infinity; whether the tensors
 * are those of the wanted network is for `checkWeights`.
 */
export function readBackboneWeights(bytes: Uint8Array, where: string): BackboneWeights {
  const file = decodeSafetensors(bytes, where);
  const description = file.metadata[descriptionKey];
  const tensors = torchvisionNames(file.tensors);
  assertFinite(tensors, where);
  const network = recogniseNetwork(tensors);
  if (description !== undefined) return { network, tensors, ...parseDescription(description, where) };
  return { network, tensors, ...describeForeign(file.metadata, network, where) };
}

/** The safetensors file that `readBackboneWeights` reads back unchanged. The same weights give the same bytes. */
export function encodeBackboneWeights(weights: Omit<BackboneWeights, 'network'>): Uint8Array {
  const { preprocessing, variant, provenance, licence } = weights;
  // Through the schema, so that the order of the fields does not depend on who built the object.
  const description = v.parse(descriptionSchema, { preprocessing, variant, provenance, licence });
  return encodeSafetensors(weights.tensors, { [descriptionKey]: JSON.stringify(description) });
}

/** What can be said of weights whose file has no description of ours. */
export function describeForeign(
  metadata: Readonly<Record<string, string>>,
  network: NetworkName | undefined,
  where: string,
): WeightsDescription {
  const caffe = network?.includes('resnet') === true && Object.values(metadata).some((text) => /\bcaffe\b/i.test(text));
  const said = ['source', 'arch', 'description'].flatMap((key) => metadata[key] ?? []);
  return {
    preprocessing: caffe ? caffePreprocessing : imagenetPreprocessing,
    variant: caffe ? caffeVariant : torchvisionVariant,
    provenance: said.length > 0 ? said.join('; ') : `read from ${where}`,
    licence: metadata['licence'] ?? metadata['license'] ?? 'unknown',
  };
}

function parseDescription(text: string, where: string): WeightsDescription {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const result = v.safeParse(descriptionSchema, value);
  if (result.success) return result.output;
  const issue = result.issues[0];
  const place = v.getDotPath(issue) ?? 'the whole';
  throw new TilesightError(
    'input',
    `${where}: the description of the weights (metadata ${descriptionKey}) is wrong at ${place}; import the weights again`,
  );
}
