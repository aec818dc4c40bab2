/** Sizes of a tensor, outermost first. Images and features are NHWC. */
export type Shape = readonly number[];

/** Element types a device tensor can have. `u8x4` holds four 8-bit values a 32-bit word (images before preprocessing). */
export type DType = 'f32' | 'f16' | 'u32' | 'u8x4';

/** A host tensor: 32-bit floats in row-major order. `data.length` is the product of `shape`. */
export interface HostTensor {
  readonly shape: Shape;
  readonly data: Float32Array;
}

/** Host tensors by name: network weights, or the parameters of one tile position. */
export type NamedTensors = ReadonlyMap<string, HostTensor>;

/** Number of elements of a shape; 1 for the empty shape. */
export function elementCount(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Bytes of one element; a `u8x4` element is one 8-bit value. */
export function bytesPerElement(dtype: DType): number {
  switch (dtype) {
    case 'f32':
    case 'u32':
      return 4;
    case 'f16':
      return 2;
    case 'u8x4':
      return 1;
  }
}

/** Bytes a tensor takes on the device, rounded up to whole 32-bit words. */
export function byteLength(shape: Shape, dtype: DType): number {
  return Math.ceil((elementCount(shape) * bytesPerElement(dtype)) / 4) * 4;
}
