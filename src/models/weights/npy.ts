import { TilesightError } from '../../engine/errors.js';
import type { HostTensor, Shape } from '../../engine/tensor.js';
import { checkedElementCount, describe, elementBytes, elementsToFloat32, type ElementType } from './elements.js';

/** NumPy's `.npy` format, versions 1 to 3. Source: numpy/lib/format.py, "Format Version 1.0". */

/** A longer header is refused; NumPy's own limit is 10,000 characters. */
const maximumHeaderBytes = 1_000_000;

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

const elementTypes: ReadonlyMap<string, ElementType> = new Map([
  ['f2', 'f16'],
  ['f4', 'f32'],
  ['f8', 'f64'],
  ['b1', 'bool'],
  ['u1', 'u8'],
  ['i1', 'i8'],
  ['u2', 'u16'],
  ['i2', 'i16'],
  ['u4', 'u32'],
  ['i4', 'i32'],
  ['u8', 'u64'],
  ['i8', 'i64'],
]);

/** Whether the bytes start as every `.npy` file does. */
export function isNpy(bytes: Uint8Array): boolean {
  return magic.every((value, index) => bytes[index] === value);
}

/**
 * Reads a `.npy` array of numbers as 32-bit floats in row-major order; column-major (Fortran) arrays are reordered. Aligned `<f4` is a
 * view of `bytes`. Throws `TilesightError('input')` for anything that is not a complete array of numbers; `where` names the file.
 */
export function decodeNpy(bytes: Uint8Array, where: string): HostTensor {
  const { descr, fortranOrder, shape, begin } = parseHeader(bytes, where);
  const byteOrder = descr[0] ?? '';
  const type = elementTypes.get(descr.slice(1));
  if (type === undefined || !'<>|='.includes(byteOrder)) {
    const advice = 'save it as numpy.float32';
    throw new TilesightError('input', `${where}: element type ${describe(descr)} is not supported; ${advice}`);
  }
  const expected = checkedElementCount(shape, where) * elementBytes[type];
  const actual = bytes.byteLength - begin;
  if (actual !== expected) {
    const what = actual < expected ? 'truncated' : 'longer than its header says';
    throw damaged(where, `it is ${what}: ${actual} bytes of elements instead of ${expected}`);
  }
  const data = elementsToFloat32(bytes.subarray(begin), type, where, byteOrder !== '>');
  return { shape, data: fortranOrder ? toRowMajor(data, shape) : data };
}

interface NpyHeader {
  readonly descr: string;
  readonly fortranOrder: boolean;
  readonly shape: Shape;
  /** First byte of the elements. */
  readonly begin: number;
}

function parseHeader(bytes: Uint8Array, where: string): NpyHeader {
  if (!isNpy(bytes)) throw new TilesightError('input', `${where}: not a .npy file; give an array saved by numpy.save`);
  const major = bytes[6];
  if (major !== 1 && major !== 2 && major !== 3) {
    throw damaged(where, `its format version ${major === undefined ? 'is missing' : `${major} is unknown`}`);
  }
  const lengthBytes = major === 1 ? 2 : 4;
  const start = 8 + lengthBytes;
  if (bytes.byteLength < start) throw damaged(where, 'it ends within its header');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  const begin = start + length;
  if (length > maximumHeaderBytes || begin > bytes.byteLength) throw damaged(where, 'it ends within its header');
  const text = new TextDecoder(major === 3 ? 'utf-8' : 'latin1').decode(bytes.subarray(start, begin));
  const descr = field(text, 'descr', /^'([^']{1,16})'/);
  const fortranOrder = field(text, 'fortran_order', /^(True|False)/);
  const shape = field(text, 'shape', /^\(([\d, ]*)\)/);
  if (descr === undefined) {
    throw new TilesightError(
      'input',
      `${where}: holds no plain numbers (a structured array?); save one array of numpy.float32`,
    );
  }
  if (fortranOrder === undefined || shape === undefined) throw damaged(where, 'its header cannot be read');
  return { descr, fortranOrder: fortranOrder === 'True', shape: parseShape(shape, where), begin };
}

/** The value behind a key of the header, which is a Python dictionary written by `repr`. */
function field(header: string, key: string, pattern: RegExp): string | undefined {
  const found = header.indexOf(`'${key}':`);
  if (found < 0) return undefined;
  return pattern.exec(header.slice(found + key.length + 3).trimStart())?.[1];
}

function parseShape(text: string, where: string): number[] {
  const parts = text.split(',').map((part) => part.trim());
  // A tuple of one element ends in a comma, an empty tuple has nothing at all.
  if (parts.at(-1) === '') parts.pop();
  if (parts.some((part) => !/^\d+$/.test(part))) throw damaged(where, `its shape (${text}) cannot be read`);
  return parts.map(Number);
}

/** Reorders column-major elements: the first index runs fastest in `data`, the last one in the result. */
function toRowMajor(data: Float32Array, shape: Shape): Float32Array {
  const result = new Float32Array(data.length);
  const index = shape.map(() => 0);
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((product, size) => product * size, 1));
  let source = 0;
  for (let target = 0; target < result.length; target++) {
    result[target] = data[source] ?? 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = (index[axis] ?? 0) + 1;
      const stride = strides[axis] ?? 0;
      source += stride;
      if (next < (shape[axis] ?? 0)) {
        index[axis] = next;
        break;
      }
      index[axis] = 0;
      source -= stride * next;
    }
  }
  return result;
}

function damaged(where: string, why: string): TilesightError {
  return new TilesightError('input', `${where}: damaged .npy file, ${why}; fetch it again`);
}
