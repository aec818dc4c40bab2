/** Mean and co-moment of one position over images, in f64, two passes. */
export interface MomentsReference {
  /** `[P, d]`. */
  readonly mean: Float64Array;
  /** `[P, d(d+1)/2]`, packed. */
  readonly comoment: Float64Array;
  /** Σ |xᵢ − mᵢ||xⱼ − mⱼ| beside each element of the co-moment: what its error scales with. */
  readonly scale: Float64Array;
}

/** First word of row i of a packed lower triangle. */
export const rowStart = (i: number): number => (i * (i + 1)) / 2;

/** Statistics of features `[N, P, d]`, straight from their definition. */
export function momentsReference(
  features: Float32Array,
  images: number,
  positions: number,
  d: number,
): MomentsReference {
  const triangle = rowStart(d);
  const mean = new Float64Array(positions * d);
  const comoment = new Float64Array(positions * triangle);
  const scale = new Float64Array(positions * triangle);
  for (let p = 0; p < positions; p++) {
    const value = (image: number, channel: number): number => features[(image * positions + p) * d + channel] ?? NaN;
    for (let i = 0; i < d; i++) {
      for (let image = 0; image < images; image++) mean[p * d + i] = (mean[p * d + i] ?? 0) + value(image, i) / images;
    }
    for (let i = 0; i < d; i++) {
      for (let j = 0; j <= i; j++) {
        const at = p * triangle + rowStart(i) + j;
        for (let image = 0; image < images; image++) {
          const product = (value(image, i) - (mean[p * d + i] ?? 0)) * (value(image, j) - (mean[p * d + j] ?? 0));
          comoment[at] = (comoment[at] ?? 0) + product;
          scale[at] = (scale[at] ?? 0) + Math.abs(product);
        }
      }
    }
  }
  return { mean, comoment, scale };
}

/** Packed inverse of the Cholesky factor of `comoment / max(seen − 1, 1) + ridge·I`, of one position, in f64. */
export function choleskyInverseReference(
  comoment: ArrayLike<number>,
  d: number,
  seen: number,
  ridge: number,
): Float64Array {
  const factor = new Float64Array(rowStart(d));
  const at = (i: number, j: number): number => factor[rowStart(i) + j] ?? NaN;
  for (let i = 0; i < d; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = (comoment[rowStart(i) + j] ?? NaN) / Math.max(seen - 1, 1) + (i === j ? ridge : 0);
      for (let k = 0; k < j; k++) sum -= at(i, k) * at(j, k);
      factor[rowStart(i) + j] = i === j ? Math.sqrt(sum) : sum / at(j, j);
    }
  }
  const inverse = new Float64Array(rowStart(d));
  for (let j = 0; j < d; j++) {
    for (let i = j; i < d; i++) {
      let sum = i === j ? 1 : 0;
      for (let k = j; k < i; k++) sum -= at(i, k) * (inverse[rowStart(k) + j] ?? NaN);
      inverse[rowStart(i) + j] = sum / at(i, i);
    }
  }
  return inverse;
}

/** `|W(x − μ)|` in f64. */
export function distanceReference(x: ArrayLike<number>, mean: ArrayLike<number>, factor: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < x.length; i++) {
    let sum = 0;
    for (let j = 0; j <= i; j++) sum += (factor[rowStart(i) + j] ?? NaN) * ((x[j] ?? NaN) - (mean[j] ?? NaN));
    total += sum * sum;
  }
  return Math.sqrt(total);
}
