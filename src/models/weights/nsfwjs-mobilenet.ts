import { TilesightError } from '../../engine/errors.js';
import type { HostTensor, NamedTensors } from '../../engine/tensor.js';
import { checkWeights } from './check-weights.js';
import { parseModuleExport } from './javascript-literal.js';
import {
  convolutionShapes,
  mobilenetV2Blocks,
  mobilenetV2Head,
  mobilenetV2Stem,
  mobilenetV2Units,
  type ConvolutionUnit,
} from './mobilenet-v2-layout.js';
import { torchvisionVariant, type BackboneWeights } from './network-weights.js';
import { assertFinite } from './nonfinite.js';
import { decodeTfjsWeights } from './tfjs-layers.js';

/** The npm package that carries the embedded network, and its tarball's digest at the registry. */
export const nsfwjsPackage = {
  name: 'nsfwjs',
  version: '4.3.0',
  integrity: 'sha512-WTKDte0vp1X97N1h34P79G/hG+sVT3+TnDz9di1WseIJR93v11E4viNX7Vg9WsO6HYoR772Nzq2iM8jo3XBZ+g==',
} as const;

/** Paths within the package's `package/` folder: the model's description, and its weights as base64. */
export const nsfwjsMobilenetFiles = {
  model: 'dist/models/mobilenet_v2/model.min.js',
  weights: 'dist/models/mobilenet_v2/group1-shard1of1.min.js',
} as const;

/** Batch norms of Keras' MobileNetV2. */
const kerasEpsilon = 1e-3;

/**
 * Converts the `mobilenet_v2` that nsfwjs carries: Keras' MobileNetV2 1.0 without its classifier, under the names of
 * `mobilenet-v2-layout.ts`, batch norms apart. Kernels become OIHW. Eight bits cannot hold the smallest variances: none comes out below
 * zero, the epsilon keeps them harmless.
 *
 * @param modelModule text of `dist/models/mobilenet_v2/model.min.js`.
 * @param weightsModule text of `dist/models/mobilenet_v2/group1-shard1of1.min.js`.
 * @throws TilesightError `input` where the texts are not those of the package; `where` names it.
 */
export function convertNsfwjsMobilenet(modelModule: string, weightsModule: string, where: string): BackboneWeights {
  const model = parseModuleExport(modelModule, `${where}: ${nsfwjsMobilenetFiles.model}`);
  const base64 = parseModuleExport(weightsModule, `${where}: ${nsfwjsMobilenetFiles.weights}`);
  const keras = decodeTfjsWeights(model, decodeBase64(base64, where), where);
  const tensors = new Map<string, HostTensor>();
  for (const { unit, conv, batchNorm } of kerasUnits()) convertUnit(keras, unit, conv, batchNorm, tensors, where);
  checkWeights({ tensors }, convolutionShapes(mobilenetV2Units(), 'apart'), 'mobilenet-v2', where);
  assertFinite(tensors, where);
  return {
    network: 'mobilenet-v2',
    tensors,
    preprocessing: { mean: [0, 0, 0], std: [1, 1, 1], channelOrder: 'rgb', scale: 1 / 255 },
    variant: { ...torchvisionVariant, padding: 'keras-same', batchNormEpsilon: kerasEpsilon },
    provenance:
      `MobileNetV2 1.0 out of the npm package ${nsfwjsPackage.name}@${nsfwjsPackage.version}: an ImageNet network that its publisher ` +
      'fine-tuned for another image task (image moderation) and quantised to 8 bits',
    licence: 'MIT',
  };
}

interface KerasUnit {
  readonly unit: ConvolutionUnit;
  /** Name of the kernel in Keras. */
  readonly conv: string;
  /** Layer name of the batch norm in Keras. */
  readonly batchNorm: string;
}

function kerasUnits(): KerasUnit[] {
  const units: KerasUnit[] = [{ unit: mobilenetV2Stem, conv: 'Conv1/kernel', batchNorm: 'bn_Conv1' }];
  for (const { keras, expand, depthwise, project } of mobilenetV2Blocks) {
    if (expand) units.push({ unit: expand, conv: `${keras}_expand/kernel`, batchNorm: `${keras}_expand_BN` });
    units.push(
      { unit: depthwise, conv: `${keras}_depthwise/depthwise_kernel`, batchNorm: `${keras}_depthwise_BN` },
      { unit: project, conv: `${keras}_project/kernel`, batchNorm: `${keras}_project_BN` },
    );
  }
  units.push({ unit: mobilenetV2Head, conv: 'Conv_1/kernel', batchNorm: 'Conv_1_bn' });
  return units;
}

function convertUnit(
  keras: NamedTensors,
  unit: ConvolutionUnit,
  conv: string,
  batchNorm: string,
  tensors: Map<string, HostTensor>,
  where: string,
): void {
  const find = (name: string): HostTensor => {
    const tensor = keras.get(name);
    if (!tensor) throw new TilesightError('input', `${where}: has no tensor ${name}; fetch the package again`);
    return tensor;
  };
  const kernel = find(conv);
  if (kernel.shape.length !== 4)
    throw new TilesightError('input', `${where}: ${conv} is no kernel; fetch the package again`);
  // Depthwise kernels are [height, width, channels, 1]: the channels take the place of the inputs.
  tensors.set(`${unit.conv}.weight`, unit.groups > 1 ? permute(kernel, [2, 3, 0, 1]) : permute(kernel, [3, 2, 0, 1]));
  const variance = find(`${batchNorm}/moving_variance`);
  tensors.set(`${unit.batchNorm}.weight`, find(`${batchNorm}/gamma`));
  tensors.set(`${unit.batchNorm}.bias`, find(`${batchNorm}/beta`));
  tensors.set(`${unit.batchNorm}.running_mean`, find(`${batchNorm}/moving_mean`));
  tensors.set(`${unit.batchNorm}.running_var`, { ...variance, data: variance.data.map((value) => Math.max(0, value)) });
}

/** Reorders the axes of a tensor of rank 4; axis i of the result is axis `order[i]` of the input. */
function permute({ shape, data }: HostTensor, order: readonly [number, number, number, number]): HostTensor {
  const sizes = order.map((axis) => shape[axis] ?? 1);
  const strides = order.map((axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  const [a = 1, b = 1, c = 1, d = 1] = sizes;
  const [strideA = 0, strideB = 0, strideC = 0, strideD = 0] = strides;
  const result = new Float32Array(data.length);
  let target = 0;
  for (let i = 0; i < a; i++) {
    for (let j = 0; j < b; j++) {
      for (let k = 0; k < c; k++) {
        const base = i * strideA + j * strideB + k * strideC;
        for (let l = 0; l < d; l++) result[target++] = data[base + l * strideD] ?? 0;
      }
    }
  }
  return { shape: sizes, data: result };
}

function decodeBase64(value: unknown, where: string): Uint8Array {
  let binary: string | undefined;
  try {
    binary = typeof value === 'string' ? atob(value) : undefined;
  } catch {
    binary = undefined;
  }
  if (binary === undefined) {
    throw new TilesightError(
      'input',
      `${where}: ${nsfwjsMobilenetFiles.weights} is not base64; fetch the package again`,
    );
  }
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
