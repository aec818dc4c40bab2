import type { DType } from './tensor.js';

/** Host floats as the bytes that a tensor of `dtype` holds. */
export function encode(data: Float32Array, dtype: DType): ArrayBufferView {
  switch (dtype) {
    case 'f32':
      return data;
    case 'u32':
      return Uint32Array.from(data);
    case 'u8x4':
      return Uint8Array.from(data);
    case 'f16':
      return Uint16Array.from(data, floatToHalf);
  }
}

/** The inverse of {@link encode}. */
export function decode(raw: Uint8Array, dtype: DType, count: number): Float32Array {
  switch (dtype) {
    case 'f32':
      return new Float32Array(raw.buffer, raw.byteOffset, count);
    case 'u32':
      return Float32Array.from(new Uint32Array(raw.buffer, raw.byteOffset, count));
    case 'u8x4':
      return Float32Array.from(raw.subarray(0, count));
    case 'f16':
      return Float32Array.from(new Uint16Array(raw.buffer, raw.byteOffset, count), halfToFloat);
  }
}

const scratch = new DataView(new ArrayBuffer(4));

/** Bits of the nearest 16-bit float (ties to even; too large becomes infinity). */
export function floatToHalf(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const exponent = (bits >>> 23) & 0xff;
  const mantissa = bits & 0x7fffff;
  if (exponent === 0xff) return sign | 0x7c00 | (mantissa === 0 ? 0 : 0x200);
  const shifted = exponent - 112;
  if (shifted >= 31) return sign | 0x7c00;
  const full = shifted > 0 ? mantissa : mantissa | 0x800000;
  const drop = shifted > 0 ? 13 : 14 - shifted;
  if (drop > 25) return sign;
  const kept = full >>> drop;
  const rest = full & ((1 << drop) - 1);
  const half = 1 << (drop - 1);
  const rounded = kept + (rest > half || (rest === half && (kept & 1) === 1) ? 1 : 0);
  return sign | ((shifted > 0 ? shifted << 10 : 0) + rounded);
}

/** Value of a 16-bit float given by its bits. */
export function halfToFloat(bits: number): number {
  const sign = (bits & 0x8000) === 0 ? 1 : -1;
  const exponent = (bits >>> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : NaN;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}
