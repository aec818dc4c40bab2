import { TilesightError } from '../../engine/errors.js';
import type { HostTensor, NamedTensors, Shape } from '../../engine/tensor.js';
import {
  checkedElementCount,
  describe,
  elementBytes,
  elementsToFloat32,
  float16ToNumber,
  maximumRank,
  printableName,
  type ElementType,
} from './elements.js';
import { protobufFields, protobufText, protobufVarints, type ProtobufField } from './protobuf.js';

/** The weights of an ONNX model. Source of the field numbers: onnx/onnx.proto. */
export interface OnnxWeights {
  /** Initialisers of floating-point type by their names in the graph. */
  readonly tensors: NamedTensors;
  /** Names and types of the initialisers that are not floating point (shapes, indices, quantised weights), which are left out. */
  readonly skipped: readonly string[];
  /** The graph's nodes in its order: what connects an initialiser with no name of its own to its layer. */
  readonly nodes: readonly OnnxNode[];
}

/** A node of the graph without its attributes. */
export interface OnnxNode {
  readonly name: string;
  readonly operator: string;
  readonly inputs: readonly string[];
}

/** More initialisers or nodes are refused. */
const maximumItems = 100_000;

/** TensorProto.DataType for the types that are read. */
const floatTypes: ReadonlyMap<number, ElementType> = new Map([
  [1, 'f32'],
  [10, 'f16'],
  [11, 'f64'],
  [16, 'bf16'],
]);

const typeNames = 'undefined float uint8 int8 uint16 int16 int32 int64 string bool float16 double uint32 uint64'.split(
  ' ',
);

/**
 * Reads the initialisers of an ONNX model's main graph. Tensors kept in files beside the model are refused. Throws
 * `TilesightError('input')` for anything that is not a complete model with weights; `where` names the file.
 */
export function decodeOnnx(bytes: Uint8Array, where: string): OnnxWeights {
  const tensors = new Map<string, HostTensor>();
  const skipped: string[] = [];
  const nodes: OnnxNode[] = [];
  for (const { number, bytes: graph } of protobufFields(bytes, where)) {
    if (number !== 7 || graph === undefined) continue;
    for (const field of protobufFields(graph, where)) {
      if (field.bytes === undefined) continue;
      if (field.number === 1) nodes.push(parseNode(field.bytes, where));
      else if (field.number === 5) addTensor(field.bytes, tensors, skipped, where);
      else if (field.number === 15) throw unsupported(where, 'has sparse weights; export the model with dense ones');
      if (nodes.length + tensors.size + skipped.length > maximumItems) {
        throw unsupported(where, `lists more than ${maximumItems} nodes and weights; this is no backbone`);
      }
    }
  }
  if (tensors.size === 0) {
    const what =
      skipped.length === 0 ? 'no weights' : `no weights in floating point, only ${skipped.slice(0, 5).join(', ')}`;
    throw unsupported(where, `holds ${what}; give an ONNX model exported with its parameters in float`);
  }
  return { tensors, skipped, nodes };
}

function parseNode(bytes: Uint8Array, where: string): OnnxNode {
  let name = '';
  let operator = '';
  const inputs: string[] = [];
  for (const field of protobufFields(bytes, where)) {
    if (field.bytes === undefined) continue;
    if (field.number === 1) inputs.push(protobufText(field, where));
    else if (field.number === 3) name = protobufText(field, where);
    else if (field.number === 4) operator = protobufText(field, where);
  }
  return { name, operator, inputs };
}

interface TensorMessage {
  name: string;
  readonly dims: number[];
  dataType: number;
  external: boolean;
  raw: Uint8Array | undefined;
  /** Bytes of `float_data` or `double_data`, in the order of the file. */
  readonly typed: Map<number, Uint8Array[]>;
  /** `int32_data`, which holds the bits of 16-bit floats. */
  readonly integers: number[];
}

function addTensor(bytes: Uint8Array, tensors: Map<string, HostTensor>, skipped: string[], where: string): void {
  const message = parseTensor(bytes, where);
  const place = `${where}: initialiser ${describe(message.name)}`;
  if (message.name === '') throw damaged(where, 'an initialiser has no name');
  const type = floatTypes.get(message.dataType);
  if (type === undefined) {
    skipped.push(`${printableName(message.name)} (${typeNames[message.dataType] ?? `type ${message.dataType}`})`);
    return;
  }
  if (tensors.has(message.name)) throw damaged(place, 'it occurs twice');
  if (message.external) {
    const advice =
      'save the model with its data inside (onnx.save with save_as_external_data=False) or give safetensors';
    throw unsupported(place, `its values are in another file; ${advice}`);
  }
  const shape: Shape = message.dims;
  const count = checkedElementCount(shape, place);
  const data = tensorValues(message, type, count, place);
  if (data.length !== count) throw damaged(place, `it has ${data.length} values, its shape needs ${count}`);
  tensors.set(message.name, { shape, data });
}

function parseTensor(bytes: Uint8Array, where: string): TensorMessage {
  const message: TensorMessage = {
    name: '',
    dims: [],
    dataType: 0,
    external: false,
    raw: undefined,
    typed: new Map(),
    integers: [],
  };
  for (const field of protobufFields(bytes, where)) {
    switch (field.number) {
      case 1:
        for (const size of protobufVarints(field, where)) {
          if (message.dims.push(size) > maximumRank)
            throw damaged(where, `a tensor has more than ${maximumRank} dimensions`);
        }
        break;
      case 2:
        message.dataType = field.value ?? 0;
        break;
      case 4:
      case 10:
        append(message.typed, field);
        break;
      case 5:
        for (const value of protobufVarints(field, where)) message.integers.push(value);
        break;
      case 8:
        message.name = protobufText(field, where);
        break;
      case 9:
        message.raw = field.bytes;
        break;
      case 13:
        message.external = true;
        break;
      case 14:
        message.external ||= field.value === 1;
        break;
    }
  }
  return message;
}

function tensorValues(message: TensorMessage, type: ElementType, count: number, place: string): Float32Array {
  if (message.raw !== undefined) {
    if (message.raw.byteLength !== count * elementBytes[type]) {
      throw damaged(place, `it has ${message.raw.byteLength} bytes, its shape needs ${count * elementBytes[type]}`);
    }
    return elementsToFloat32(message.raw, type, place);
  }
  if (type === 'f32' || type === 'f64') {
    return elementsToFloat32(joined(message.typed.get(type === 'f32' ? 4 : 10) ?? []), type, place);
  }
  if (message.integers.some((bits) => bits > 0xffff)) throw damaged(place, 'it has values that are no 16-bit floats');
  if (type === 'f16') return Float32Array.from(message.integers, float16ToNumber);
  return new Float32Array(Uint32Array.from(message.integers, (bits) => bits << 16).buffer);
}

function append(typed: Map<number, Uint8Array[]>, { number, bytes }: ProtobufField): void {
  if (bytes === undefined) return;
  const parts = typed.get(number);
  if (parts) parts.push(bytes);
  else typed.set(number, [bytes]);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts;
  if (first === undefined) return new Uint8Array();
  if (parts.length === 1) return first;
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let position = 0;
  for (const part of parts) {
    whole.set(part, position);
    position += part.byteLength;
  }
  return whole;
}

function unsupported(where: string, what: string): TilesightError {
  return new TilesightError('input', `${where}: ${what}`);
}

function damaged(where: string, why: string): TilesightError {
  return new TilesightError('input', `${where}: damaged ONNX file, ${why}; fetch it again`);
}
