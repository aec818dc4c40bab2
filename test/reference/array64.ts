import { elementCount, type HostTensor, type Shape } from '../../src/engine/tensor.js';
import type { Reference } from '../kernels/harness.js';

/** A tensor of the f64 references, row-major. */
export interface Array64 {
  readonly shape: Shape;
  readonly data: Float64Array;
}

/** Host floats as an f64 tensor. */
export function array64(host: HostTensor): Array64 {
  return { shape: host.shape, data: Float64Array.from(host.data) };
}

/** An f64 tensor from a function of the flat index. */
export function build64(shape: Shape, value: (index: number) => number): Array64 {
  return { shape, data: Float64Array.from({ length: elementCount(shape) }, (_, index) => value(index)) };
}

/** An NHWC tensor from a function of its four indices. */
export function image64(
  shape: readonly [number, number, number, number],
  value: (b: number, y: number, x: number, c: number) => number,
): Array64 {
  const [, height, width, channels] = shape;
  return build64(shape, (index) => {
    const pixel = Math.floor(index / channels);
    const line = Math.floor(pixel / width);
    return value(Math.floor(line / height), line % height, pixel % width, index % channels);
  });
}

/** Sizes of an NHWC tensor. */
export function sizes(tensor: { readonly shape: Shape }): [number, number, number, number] {
  const [batch = 1, height = 1, width = 1, channels = 1] = tensor.shape;
  return [batch, height, width, channels];
}

/** The element of an NHWC tensor. */
export function pixel(tensor: Array64, b: number, y: number, x: number, c: number): number {
  const [, height, width, channels] = sizes(tensor);
  return tensor.data[((b * height + y) * width + x) * channels + c] ?? NaN;
}

/** Magnitudes: what error bounds of linear operators are made from. */
export function absolute(tensor: Array64): Array64 {
  return { shape: tensor.shape, data: tensor.data.map(Math.abs) };
}

/** Bounds `2 · terms · 2⁻²⁴ · magnitude`, where a magnitude is the sum of the absolute products behind a value. */
export function bounded(values: Array64, magnitudes: Array64, terms: number): Reference {
  return { values: values.data, bounds: magnitudes.data.map((value) => 2 * terms * 2 ** -24 * value + 1e-37) };
}

/** Values that must come out bit for bit. */
export function exact(values: Array64): Reference {
  return { values: values.data, bounds: new Float64Array(values.data.length) };
}

/**
 * Gradient of `Σ weights · f(x)` by central differences.
 *
 * @param step half the distance of the two points; where f is linear any will do.
 */
export function numericGradient(f: (x: Array64) => Array64, x: Array64, weights: Float32Array, step = 1e-4): Array64 {
  const total = (at: Array64): number =>
    f(at).data.reduce((sum, value, index) => sum + value * (weights[index] ?? 0), 0);
  return build64(x.shape, (index) => {
    const moved = (by: number): Array64 => ({ shape: x.shape, data: x.data.map((v, i) => (i === index ? v + by : v)) });
    return (total(moved(step)) - total(moved(-step))) / (2 * step);
  });
}
