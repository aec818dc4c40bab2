import { image64, pixel, sizes, type Array64 } from './array64.js';

/** Weights by definition: exp(−x²/2σ²) for |x| ≤ int(4σ + 0.5), normalised in two dimensions. */
function kernel(sigma: number): { radius: number; weights: number[][] } {
  const radius = Math.floor(4 * sigma + 0.5);
  const offsets = Array.from({ length: 2 * radius + 1 }, (_, index) => index - radius);
  const raw = offsets.map((y) => offsets.map((x) => Math.exp(-(x * x + y * y) / (2 * sigma * sigma))));
  const total = raw.flat().reduce((sum, weight) => sum + weight, 0);
  return { radius, weights: raw.map((row) => row.map((weight) => weight / total)) };
}

/** Position after walking to it from inside and turning round at the outermost pixels. */
function walk(position: number, size: number): number {
  if (size === 1) return 0;
  let at = position;
  while (at < 0 || at >= size) at = at < 0 ? -at : 2 * (size - 1) - at;
  return at;
}

/** Gaussian blur as one two-dimensional sum over the padded image. */
export function gaussianBlurReference(x: Array64, sigma: number): Array64 {
  const [batch, height, width, channels] = sizes(x);
  const { radius, weights } = kernel(sigma);
  const rowOf = Array.from({ length: height + 2 * radius }, (_, index) => walk(index - radius, height));
  const columnOf = Array.from({ length: width + 2 * radius }, (_, index) => walk(index - radius, width));
  return image64([batch, height, width, channels], (b, y, xx, c) => {
    let sum = 0;
    weights.forEach((row, j) => {
      row.forEach((weight, i) => (sum += weight * pixel(x, b, rowOf[y + j] ?? 0, columnOf[xx + i] ?? 0, c)));
    });
    return sum;
  });
}
