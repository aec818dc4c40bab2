import { build64, type Array64 } from './array64.js';

/** Mean and biased variance of every group of elements: `groupOf` tells an element's group. */
function moments(x: Array64, groups: number, groupOf: (index: number) => number): { mean: number; variance: number }[] {
  const values = Array.from({ length: groups }, (): number[] => []);
  x.data.forEach((value, index) => values[groupOf(index)]?.push(value));
  return values.map((group) => {
    const mean = group.reduce((sum, value) => sum + value, 0) / group.length;
    return { mean, variance: group.reduce((sum, value) => sum + (value - mean) ** 2, 0) / group.length };
  });
}

/** Batch normalisation by the batch's own statistics, over all but the last axis. */
export function batchNorm64(x: Array64, weight: Array64, bias: Array64, epsilon = 1e-5): Array64 {
  const channels = weight.data.length;
  const found = batchMoments64(x);
  return build64(x.shape, (index) => {
    const { mean, variance } = found[index % channels] ?? { mean: NaN, variance: NaN };
    const normalized = ((x.data[index] ?? NaN) - mean) / Math.sqrt(variance + epsilon);
    return normalized * (weight.data[index % channels] ?? NaN) + (bias.data[index % channels] ?? NaN);
  });
}

/** Mean and biased variance of every channel. */
export function batchMoments64(x: Array64): { mean: number; variance: number }[] {
  const channels = x.shape.at(-1) ?? 1;
  return moments(x, channels, (index) => index % channels);
}

/** Layer normalisation over all of an image, with a weight and bias for every element of it. */
export function layerNorm64(x: Array64, weight: Array64, bias: Array64, epsilon = 1e-5): Array64 {
  const length = weight.data.length;
  const found = moments(x, x.data.length / length, (index) => Math.floor(index / length));
  return build64(x.shape, (index) => {
    const { mean, variance } = found[Math.floor(index / length)] ?? { mean: NaN, variance: NaN };
    const normalized = ((x.data[index] ?? NaN) - mean) / Math.sqrt(variance + epsilon);
    return normalized * (weight.data[index % length] ?? NaN) + (bias.data[index % length] ?? NaN);
  });
}

/** Vectors along the last axis to length 1. */
export function l2Normalize64(x: Array64, epsilon = 1e-12): Array64 {
  const channels = x.shape.at(-1) ?? 1;
  return build64(x.shape, (index) => {
    const row = Math.floor(index / channels) * channels;
    const length = Math.hypot(...x.data.subarray(row, row + channels));
    return (x.data[index] ?? NaN) / Math.max(length, epsilon);
  });
}

/** Cosine of the angle between vectors along the last axis. */
export function cosineSimilarity64(a: Array64, b: Array64, epsilon = 1e-8): Array64 {
  const channels = a.shape.at(-1) ?? 1;
  return build64(a.shape.slice(0, -1), (row) => {
    const [left, right] = [a, b].map((x) => x.data.subarray(row * channels, (row + 1) * channels));
    if (!left || !right) return NaN;
    const product = left.reduce((sum, value, i) => sum + value * (right[i] ?? NaN), 0);
    return product / (Math.max(Math.hypot(...left), epsilon) * Math.max(Math.hypot(...right), epsilon));
  });
}
