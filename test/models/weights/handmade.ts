import type { HostTensor, NamedTensors, Shape } from '../../../src/engine/tensor.js';
import {
  batchNormParts,
  mobilenetV2Blocks,
  mobilenetV2Head,
  mobilenetV2Stem,
  type ConvolutionUnit,
} from '../../../src/models/weights/mobilenet-v2-layout.js';

/** A tensor from plain numbers. */
export function tensor(shape: Shape, values: readonly number[]): HostTensor {
  return { shape, data: Float32Array.from(values) };
}

/** Tensors of the given shapes, filled with their index. */
export function tensorsOf(shapes: Iterable<readonly [string, Shape]>): Map<string, HostTensor> {
  const tensors = new Map<string, HostTensor>();
  for (const [name, shape] of shapes) {
    const length = shape.reduce((product, size) => product * size, 1);
    tensors.set(name, { shape, data: Float32Array.from({ length }, (_, index) => index) });
  }
  return tensors;
}

/** A safetensors file written out by hand: the header's text as given, then the elements. */
export function safetensorsFile(header: unknown, elements: Uint8Array | number): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const data = typeof elements === 'number' ? new Uint8Array(elements) : elements;
  const file = new Uint8Array(8 + text.byteLength + data.byteLength);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.byteLength), true);
  file.set(text, 8);
  file.set(data, 8 + text.byteLength);
  return file;
}

/** Names of the tensors of one convolution and its batch norm in Keras, with their shapes there. */
function kerasUnit(unit: ConvolutionUnit, conv: string, batchNorm: string): [string, Shape][] {
  const [output, input, height, width] = unit.shape;
  const kernel: Shape = unit.groups > 1 ? [height, width, output, input] : [height, width, input, output];
  const keras = { weight: 'gamma', bias: 'beta', running_mean: 'moving_mean', running_var: 'moving_variance' };
  return [
    [unit.groups > 1 ? `${conv}/depthwise_kernel` : `${conv}/kernel`, kernel],
    ...batchNormParts.map((part): [string, Shape] => [`${batchNorm}/${keras[part]}`, [output]]),
  ];
}

/** Every tensor of Keras' MobileNetV2 without its classifier. */
export function kerasMobilenetShapes(): [string, Shape][] {
  return [
    ...kerasUnit(mobilenetV2Stem, 'Conv1', 'bn_Conv1'),
    ...mobilenetV2Blocks.flatMap(({ keras, expand, depthwise, project }) => [
      ...(expand ? kerasUnit(expand, `${keras}_expand`, `${keras}_expand_BN`) : []),
      ...kerasUnit(depthwise, `${keras}_depthwise`, `${keras}_depthwise_BN`),
      ...kerasUnit(project, `${keras}_project`, `${keras}_project_BN`),
    ]),
    ...kerasUnit(mobilenetV2Head, 'Conv_1', 'Conv_1_bn'),
  ];
}

/** A module as browserify and a minifier write it. */
export function browserified(literal: string): string {
  const prelude = '!function(e){module.exports=e()}(function(){return function e(a,n,i){return l}';
  return `${prelude}({1:[function(e,a,n){a.exports=${literal}},{}]},{},[1])(1)});`;
}

/** Base64 of bytes. */
export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

/** The data of a tensor that must be there. */
export function dataOf(tensors: NamedTensors, name: string): Float32Array {
  const found = tensors.get(name);
  if (!found) throw new Error(`no tensor ${name}`);
  return found.data;
}
