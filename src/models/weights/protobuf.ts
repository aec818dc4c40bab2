import { TilesightError } from '../../engine/errors.js';

/**
 * The wire format of protocol buffers, as far as an ONNX file needs it. Source: protobuf.dev, "Encoding".
 */

/** One field of a message, in the order of the file. */
export interface ProtobufField {
  readonly number: number;
  /** The value of a varint field. Inexact above 2^53, so that a negative one is a huge number that is no safe integer. */
  readonly value: number | undefined;
  /** The content of a length-delimited field, or the 4 or 8 bytes of a fixed-size one: a view. */
  readonly bytes: Uint8Array | undefined;
}

/** The fields of a message one by one. Throws `TilesightError('input')` where the bytes are no message; `where` names the file. */
export function* protobufFields(bytes: Uint8Array, where: string): Generator<ProtobufField> {
  const reader = { bytes, position: 0 };
  while (reader.position < bytes.byteLength) {
    const key = readVarint(reader, where);
    const number = Math.floor(key / 8);
    if (number < 1 || number > 0x1fffffff) throw damaged(where, reader.position);
    const wireType = key % 8;
    if (wireType === 0) yield { number, value: readVarint(reader, where), bytes: undefined };
    else if (wireType === 1) yield { number, value: undefined, bytes: take(reader, 8, where) };
    else if (wireType === 2) yield { number, value: undefined, bytes: take(reader, readVarint(reader, where), where) };
    else if (wireType === 5) yield { number, value: undefined, bytes: take(reader, 4, where) };
    else throw damaged(where, reader.position);
  }
}

/** The numbers of a repeated varint field, one to a field or packed. */
export function* protobufVarints(field: ProtobufField, where: string): Generator<number> {
  if (field.value !== undefined) yield field.value;
  if (field.bytes === undefined) return;
  const reader = { bytes: field.bytes, position: 0 };
  while (reader.position < reader.bytes.byteLength) yield readVarint(reader, where);
}

/** A field's content as text. */
export function protobufText(field: ProtobufField, where: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(field.bytes);
  } catch (cause) {
    throw new TilesightError('input', `${where}: damaged ONNX file, a name is not text; fetch it again`, { cause });
  }
}

interface Reader {
  readonly bytes: Uint8Array;
  position: number;
}

function readVarint(reader: Reader, where: string): number {
  let value = 0;
  let scale = 1;
  for (let length = 0; length < 10; length++) {
    const byte = reader.bytes[reader.position++];
    if (byte === undefined) break;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value;
    scale *= 128;
  }
  throw damaged(where, reader.position);
}

function take(reader: Reader, length: number, where: string): Uint8Array {
  const end = reader.position + length;
  if (end > reader.bytes.byteLength) throw damaged(where, reader.position);
  const bytes = reader.bytes.subarray(reader.position, end);
  reader.position = end;
  return bytes;
}

function damaged(where: string, position: number): TilesightError {
  const place = `its structure breaks off near byte ${position} of a message`;
  return new TilesightError('input', `${where}: not an ONNX file, or a damaged one (${place}); fetch it again`);
}
