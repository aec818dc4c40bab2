import { TilesightError } from '../../engine/errors.js';
import { elementCount, type HostTensor, type NamedTensors, type Shape } from '../../engine/tensor.js';
import { checkedElementCount, describe, elementBytes, elementsToFloat32, type ElementType } from './elements.js';

/**
 * The safetensors format: a 64-bit little-endian length, that many bytes of JSON (`{name: {dtype, shape, data_offsets}}` and
 * `__metadata__`, text by text), then the elements without gaps. Source: huggingface/safetensors, "Format".
 */

/** Where one tensor lies in a safetensors file. */
export interface SafetensorsEntry {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: Shape;
  /** First byte and first byte behind, counted from the start of the file. */
  readonly begin: number;
  readonly end: number;
}

/** What a safetensors file holds, without the elements. */
export interface SafetensorsLayout {
  /** In the order of their bytes. */
  readonly entries: readonly SafetensorsEntry[];
  readonly metadata: Record<string, string>;
  /** Bytes in front of the elements. */
  readonly headerBytes: number;
}

/** Bytes of the length in front of the header. */
export const safetensorsPrefixBytes = 8;

/** A longer header is refused. */
const maximumHeaderBytes = 100_000_000;

/** More tensors are refused. */
const maximumTensors = 100_000;

const elementTypes: ReadonlyMap<string, ElementType> = new Map([
  ['F16', 'f16'],
  ['BF16', 'bf16'],
  ['F32', 'f32'],
  ['F64', 'f64'],
  ['BOOL', 'bool'],
  ['U8', 'u8'],
  ['I8', 'i8'],
  ['U16', 'u16'],
  ['I16', 'i16'],
  ['U32', 'u32'],
  ['I32', 'i32'],
  ['U64', 'u64'],
  ['I64', 'i64'],
]);

/**
 * Reads a whole file. 32-bit floats are views of `bytes` where the file is aligned (all that Tilesight writes is); other types become
 * 32-bit floats. Throws `TilesightError('input')` for anything that is not a complete safetensors file; `where` names it.
 */
export function decodeSafetensors(
  bytes: Uint8Array,
  where: string,
): { tensors: NamedTensors; metadata: Record<string, string> } {
  const { entries, metadata } = safetensorsLayout(bytes, where);
  const tensors = new Map<string, HostTensor>();
  for (const entry of entries) {
    tensors.set(entry.name, decodeSafetensorsEntry(entry, bytes.subarray(entry.begin, entry.end), where));
  }
  return { tensors, metadata };
}

/**
 * Bytes of the header with its length, from the first eight bytes of a file of `fileBytes` bytes. With it a large file can be read by
 * range: these bytes to `safetensorsLayout`, then `begin` to `end` of each entry to `decodeSafetensorsEntry`.
 */
export function safetensorsHeaderBytes(prefix: Uint8Array, where: string, fileBytes: number): number {
  if (fileBytes < safetensorsPrefixBytes || prefix.byteLength < safetensorsPrefixBytes) {
    throw notSafetensors(where, `it has ${fileBytes} bytes`);
  }
  const view = new DataView(prefix.buffer, prefix.byteOffset, safetensorsPrefixBytes);
  const length = view.getBigUint64(0, true);
  if (length > BigInt(maximumHeaderBytes)) throw notSafetensors(where, `its header would have ${length} bytes`);
  const headerBytes = safetensorsPrefixBytes + Number(length);
  if (headerBytes > fileBytes) {
    throw damaged(where, `its header should end at byte ${headerBytes}, the file at ${fileBytes}`);
  }
  return headerBytes;
}

/** Reads and checks the header. `bytes` may end behind the header if `fileBytes` gives the size of the whole file. */
export function safetensorsLayout(bytes: Uint8Array, where: string, fileBytes = bytes.byteLength): SafetensorsLayout {
  const headerBytes = safetensorsHeaderBytes(bytes, where, fileBytes);
  const header = parseHeader(bytes.subarray(safetensorsPrefixBytes, headerBytes), where);
  let metadata: Record<string, string> = {};
  const entries: SafetensorsEntry[] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') metadata = checkMetadata(value, where);
    else entries.push(checkEntry(name, value, headerBytes, where));
    if (entries.length > maximumTensors) throw damaged(where, `it lists more than ${maximumTensors} tensors`);
  }
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let position = headerBytes;
  for (const entry of entries) {
    if (entry.begin !== position) {
      const what = entry.begin < position ? 'overlaps the tensor before it' : 'leaves a gap before it';
      throw damaged(where, `tensor ${describe(entry.name)} ${what}`);
    }
    position = entry.end;
  }
  if (position !== fileBytes) {
    const what = position > fileBytes ? 'truncated' : 'longer than its header says';
    throw damaged(where, `it is ${what}: ${fileBytes} bytes instead of ${position}`);
  }
  return { entries, metadata, headerBytes };
}

/** One tensor from the bytes `begin` to `end` of its file. */
export function decodeSafetensorsEntry(entry: SafetensorsEntry, bytes: Uint8Array, where: string): HostTensor {
  const place = `${where}: tensor ${describe(entry.name)}`;
  if (bytes.byteLength !== entry.end - entry.begin)
    throw damaged(place, `${bytes.byteLength} bytes of it could be read`);
  return { shape: entry.shape, data: elementsToFloat32(bytes, entry.type, place) };
}

/** A safetensors file of 32-bit floats: names sorted by code unit, header a multiple of 8 bytes. The same tensors give the same bytes. */
export function encodeSafetensors(tensors: NamedTensors, metadata: Readonly<Record<string, string>> = {}): Uint8Array {
  const parts = safetensorsParts(tensors, metadata);
  const file = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let position = 0;
  for (const part of parts) {
    file.set(part, position);
    position += part.byteLength;
  }
  return file;
}

/** The pieces of `encodeSafetensors`'s file in order, without copying the tensors: the header, then a view of each tensor. */
export function safetensorsParts(tensors: NamedTensors, metadata: Readonly<Record<string, string>> = {}): Uint8Array[] {
  const header: [string, unknown][] = [];
  const texts = Object.entries(metadata).sort(byName);
  if (texts.length > 0) header.push(['__metadata__', Object.fromEntries(texts)]);
  const views: Uint8Array[] = [];
  let position = 0;
  for (const [name, { shape, data }] of [...tensors].sort(byName)) {
    if (name === '__metadata__') throw new Error('a tensor cannot be called __metadata__');
    if (elementCount(shape) !== data.length) {
      throw new Error(`tensor ${name} has ${data.length} elements, its shape [${shape.join(', ')}] says otherwise`);
    }
    header.push([name, { dtype: 'F32', shape, data_offsets: [position, position + data.byteLength] }]);
    views.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    position += data.byteLength;
  }
  // Written by hand: an object would put names that are numbers first.
  const json = `{${header.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`;
  const text = new TextEncoder().encode(json);
  const length = Math.ceil(text.byteLength / 8) * 8;
  const front = new Uint8Array(safetensorsPrefixBytes + length).fill(0x20);
  new DataView(front.buffer).setBigUint64(0, BigInt(length), true);
  front.set(text, safetensorsPrefixBytes);
  return [front, ...views];
}

function parseHeader(bytes: Uint8Array, where: string): object {
  if (bytes[0] !== 0x7b) throw notSafetensors(where, 'its header is not JSON');
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw damaged(where, 'its header is not JSON', cause);
  }
  if (!isRecord(header)) throw damaged(where, 'its header is not a JSON object');
  return header;
}

function checkMetadata(value: unknown, where: string): Record<string, string> {
  if (!isRecord(value)) throw damaged(where, '__metadata__ is not a JSON object');
  const texts: [string, string][] = [];
  for (const [name, text] of Object.entries(value)) {
    if (typeof text !== 'string') throw damaged(where, `__metadata__ entry ${describe(name)} is not a text`);
    texts.push([name, text]);
  }
  return Object.fromEntries(texts);
}

function checkEntry(name: string, value: unknown, headerBytes: number, where: string): SafetensorsEntry {
  const place = `${where}: tensor ${describe(name)}`;
  if (!isRecord(value)) throw damaged(place, 'its description is not a JSON object');
  const { dtype, shape, data_offsets: offsets } = value;
  const type = typeof dtype === 'string' ? elementTypes.get(dtype) : undefined;
  if (type === undefined) {
    const known = [...elementTypes.keys()].join(', ');
    throw new TilesightError(
      'input',
      `${place}: element type ${describe(dtype)} is not supported; store it as one of ${known}`,
    );
  }
  if (!Array.isArray(shape)) throw damaged(place, 'it has no shape');
  const sizes: readonly unknown[] = shape;
  const bytes = checkedElementCount(sizes, place) * elementBytes[type];
  if (!Array.isArray(offsets) || offsets.length !== 2) throw damaged(place, 'it has no offsets');
  const [begin, end] = offsets as readonly unknown[];
  if (!isOffset(begin) || !isOffset(end) || end < begin)
    throw damaged(place, `its offsets ${describe(offsets)} are wrong`);
  if (end - begin !== bytes) {
    throw damaged(place, `it takes ${end - begin} bytes, its shape and element type need ${bytes}`);
  }
  return { name, type, shape: sizes.map(Number), begin: headerBytes + begin, end: headerBytes + end };
}

function isOffset(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= Number.MAX_SAFE_INTEGER / 2;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function notSafetensors(where: string, why: string): TilesightError {
  return new TilesightError('input', `${where}: not a safetensors file (${why}); give a .safetensors file`);
}

function damaged(where: string, why: string, cause?: unknown): TilesightError {
  return new TilesightError('input', `${where}: damaged safetensors file, ${why}; fetch it again`, { cause });
}
