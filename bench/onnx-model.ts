import type { HostTensor } from '../src/engine/tensor.js';
import type { Layer, Layers, Margin } from './layers.js';

/**
 * Writes a network as an ONNX file (opset 17), as much of the format as these networks need. The image is NCHW, as ONNX
 * wants it; kernels are OIHW. Source: onnx/onnx.proto, "Operators".
 */
export function onnxModel({ name, inputShape, layers, taps }: Layers): Uint8Array {
  const [batch, height, width, channels] = inputShape;
  const nodes: Uint8Array[] = [];
  const initializers: Uint8Array[] = [];
  if (layers.some((layer) => 'activation' in layer && layer.activation === 'relu6')) {
    initializers.push(tensor('zero', [], Float32Array.of(0)), tensor('six', [], Float32Array.of(6)));
  }
  layers.forEach((layer, index) => nodes.push(...layerNodes(layer, `layer${index}`, initializers)));
  const graph = message([
    ...nodes.map((node) => field(1, node)),
    field(2, text(name)),
    ...initializers.map((initializer) => field(5, initializer)),
    field(11, valueInfo(valueName(0), [batch, channels, height, width])),
    ...taps.map(({ value, shape: [b = 0, h = 0, w = 0, c = 0] }) =>
      field(12, valueInfo(valueName(value), [b, c, h, w])),
    ),
  ]);
  return message([
    varintField(1, 8), // ir_version
    field(2, text('tilesight bench')),
    field(7, graph),
    field(8, message([varintField(2, 17)])), // opset
  ]);
}

/** Name of a value in the file. */
export const valueName = (value: number): string => `value${value}`;

function layerNodes(layer: Layer, label: string, initializers: Uint8Array[]): Uint8Array[] {
  const output = valueName(layer.output);
  const raw = 'activation' in layer && layer.activation !== 'none' ? `${label}.raw` : output;
  const nodes: Uint8Array[] = [];
  switch (layer.kind) {
    case 'convolution': {
      const [kernelHeight = 0, kernelWidth = 0] = layer.weight.shape;
      initializers.push(
        oihw(`${label}.weight`, layer.weight),
        tensor(`${label}.bias`, layer.bias.shape, layer.bias.data),
      );
      const inputs = [valueName(layer.input), `${label}.weight`, `${label}.bias`];
      nodes.push(
        node('Conv', label, inputs, raw, [
          integers('kernel_shape', [kernelHeight, kernelWidth]),
          integers('strides', layer.stride),
          integers('pads', pads(layer.padding)),
          integer('group', layer.groups),
        ]),
      );
      break;
    }
    case 'max-pool':
      nodes.push(
        node('MaxPool', label, [valueName(layer.input)], raw, [
          integers('kernel_shape', [layer.window, layer.window]),
          integers('strides', [layer.stride, layer.stride]),
          integers('pads', pads(layer.padding)),
        ]),
      );
      break;
    case 'add':
      nodes.push(node('Add', label, [valueName(layer.input), valueName(layer.other)], raw));
      break;
  }
  if (raw !== output) {
    const relu6 = 'activation' in layer && layer.activation === 'relu6';
    nodes.push(node(relu6 ? 'Clip' : 'Relu', `${label}.act`, relu6 ? [raw, 'zero', 'six'] : [raw], output));
  }
  return nodes;
}

const pads = ({ top, left, bottom, right }: Margin): number[] => [top, left, bottom, right];

function oihw(name: string, { shape, data }: HostTensor): Uint8Array {
  const [height = 0, width = 0, inputs = 0, outputs = 0] = shape;
  const turned = new Float32Array(data.length);
  for (let tap = 0; tap < height * width; tap++) {
    for (let i = 0; i < inputs; i++) {
      for (let o = 0; o < outputs; o++) {
        turned[(o * inputs + i) * height * width + tap] = data[(tap * inputs + i) * outputs + o] ?? 0;
      }
    }
  }
  return tensor(name, [outputs, inputs, height, width], turned);
}

function node(
  type: string,
  name: string,
  inputs: readonly string[],
  output: string,
  attributes: readonly Uint8Array[] = [],
): Uint8Array {
  return message([
    ...inputs.map((input) => field(1, text(input))),
    field(2, text(output)),
    field(3, text(name)),
    field(4, text(type)),
    ...attributes.map((attribute) => field(5, attribute)),
  ]);
}

const integers = (name: string, values: readonly number[]): Uint8Array =>
  message([field(1, text(name)), ...values.map((value) => varintField(8, value)), varintField(20, 7)]);

const integer = (name: string, value: number): Uint8Array =>
  message([field(1, text(name)), varintField(3, value), varintField(20, 2)]);

function tensor(name: string, shape: readonly number[], data: Float32Array): Uint8Array {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return message([
    ...shape.map((size) => varintField(1, size)),
    varintField(2, 1), // FLOAT
    field(8, text(name)),
    field(9, bytes),
  ]);
}

function valueInfo(name: string, shape: readonly number[]): Uint8Array {
  const dimensions = message(shape.map((size) => field(1, message([varintField(1, size)]))));
  const type = message([field(1, message([varintField(1, 1), field(2, dimensions)]))]);
  return message([field(1, text(name)), field(2, type)]);
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return [...bytes, rest];
}

/** A length-delimited field. */
function field(number: number, content: Uint8Array): Uint8Array {
  return message([Uint8Array.from([...varint(number * 8 + 2), ...varint(content.length)]), content]);
}

const varintField = (number: number, value: number): Uint8Array =>
  Uint8Array.from([...varint(number * 8), ...varint(value)]);

function message(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let position = 0;
  for (const part of parts) {
    whole.set(part, position);
    position += part.length;
  }
  return whole;
}
