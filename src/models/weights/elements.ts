import { TilesightError } from '../../engine/errors.js';

/** Element types that weight files hold, by their own neutral names. */
export type ElementType =
  'f16' | 'bf16' | 'f32' | 'f64' | 'bool' | 'u8' | 'i8' | 'u16' | 'i16' | 'u32' | 'i32' | 'u64' | 'i64';

/** Bytes of one element. */
export const elementBytes: Readonly<Record<ElementType, number>> = {
  f16: 2,
  bf16: 2,
  f32: 4,
  f64: 8,
  bool: 1,
  u8: 1,
  i8: 1,
  u16: 2,
  i16: 2,
  u32: 4,
  i32: 4,
  u64: 8,
  i64: 8,
};

/** Largest rank a tensor in a file may have. */
export const maximumRank = 8;

/** Largest integer up to which every integer is exact in 32-bit floating point. */
const exactIntegers = 2 ** 24;

/**
 * Elements as 32-bit floats. Aligned little-endian `f32` is a view of `bytes`, everything else a copy. `f64` is rounded; an integer
 * that 32-bit floats cannot hold is an error. `bytes` must hold whole elements. WebGPU hosts are little-endian.
 */
export function elementsToFloat32(
  bytes: Uint8Array,
  type: ElementType,
  where: string,
  littleEndian = true,
): Float32Array {
  const count = bytes.byteLength / elementBytes[type];
  if (!Number.isInteger(count)) {
    throw new TilesightError(
      'input',
      `${where}: ${bytes.byteLength} bytes are not whole ${type} elements; fetch the file again`,
    );
  }
  if (type === 'f32' && littleEndian) return littleEndianFloat32(bytes, count);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Float32Array(count);
  switch (type) {
    case 'f16':
      for (let i = 0; i < count; i++) values[i] = float16ToNumber(view.getUint16(2 * i, littleEndian));
      return values;
    case 'bf16': {
      const words = new Uint32Array(values.buffer);
      for (let i = 0; i < count; i++) words[i] = view.getUint16(2 * i, littleEndian) << 16;
      return values;
    }
    case 'f32':
      for (let i = 0; i < count; i++) values[i] = view.getFloat32(4 * i, littleEndian);
      return values;
    case 'f64':
      for (let i = 0; i < count; i++) values[i] = view.getFloat64(8 * i, littleEndian);
      return values;
    case 'u8':
    case 'bool':
      values.set(bytes);
      return values;
    case 'i8':
      for (let i = 0; i < count; i++) values[i] = view.getInt8(i);
      return values;
    case 'u16':
      for (let i = 0; i < count; i++) values[i] = view.getUint16(2 * i, littleEndian);
      return values;
    case 'i16':
      for (let i = 0; i < count; i++) values[i] = view.getInt16(2 * i, littleEndian);
      return values;
    case 'u32':
      for (let i = 0; i < count; i++) values[i] = exact(view.getUint32(4 * i, littleEndian), i, where);
      return values;
    case 'i32':
      for (let i = 0; i < count; i++) values[i] = exact(view.getInt32(4 * i, littleEndian), i, where);
      return values;
    case 'u64':
      for (let i = 0; i < count; i++) values[i] = exact(Number(view.getBigUint64(8 * i, littleEndian)), i, where);
      return values;
    case 'i64':
      for (let i = 0; i < count; i++) values[i] = exact(Number(view.getBigInt64(8 * i, littleEndian)), i, where);
      return values;
  }
}

/** IEEE 754 binary16 bits as a number, exactly. */
export function float16ToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/**
 * Checks sizes read from a file and multiplies them: rank at most 8, every size and the product a safe integer that is not negative.
 * Nothing is allocated.
 */
export function checkedElementCount(sizes: readonly unknown[], where: string): number {
  if (sizes.length > maximumRank) {
    throw new TilesightError(
      'input',
      `${where}: has ${sizes.length} dimensions, more than ${maximumRank}; this is no weight of a backbone`,
    );
  }
  let count = 1;
  for (const size of sizes) {
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
      throw new TilesightError(
        'input',
        `${where}: has a dimension that is no size (${describe(size)}); the file is damaged, fetch it again`,
      );
    }
    // A safe product needs safe factors behind a zero too, which the test above ensures.
    count *= size;
    if (!Number.isSafeInteger(count)) {
      throw new TilesightError(
        'input',
        `${where}: has more elements than can be counted; the file is damaged, fetch it again`,
      );
    }
  }
  return count;
}

/** A short, printable form of a value from a file. */
export function describe(value: unknown): string {
  const text = value === undefined ? 'missing' : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** A tensor's name for an error of one line: quoted only if it is unlike any parameter's name. */
export function printableName(name: string): string {
  return /^[\w.:/-]{1,200}$/.test(name) ? name : describe(name);
}

function littleEndianFloat32(bytes: Uint8Array, count: number): Float32Array {
  if (bytes.byteOffset % 4 === 0) return new Float32Array(bytes.buffer, bytes.byteOffset, count);
  const copy = bytes.slice();
  return new Float32Array(copy.buffer, 0, count);
}

function exact(value: number, index: number, where: string): number {
  if (Math.abs(value) <= exactIntegers) return value;
  throw new TilesightError(
    'input',
    `${where}: integer ${value} at element ${index} is not exact as a 32-bit float; store it as float`,
  );
}
