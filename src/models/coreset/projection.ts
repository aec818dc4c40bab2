import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** Distortion that the projection may have, as in PatchCore. */
const epsilon = 0.9;

/** A sparse matrix with weights ±scale, row by row. */
export interface SparseMatrix {
  /** Rows: elements of a projected vector, a multiple of 4 (the last rows may be empty). */
  readonly size: number;
  /** `[size + 1]`: where each row's entries begin, and the end. */
  readonly starts: Float32Array;
  /** Column · 2, + 1 where the weight is negative. */
  readonly entries: Float32Array;
  readonly scale: number;
}

/** Elements that keep the distances between `points` vectors within ε (Johnson and Lindenstrauss): int(4 ln n / (ε²/2 − ε³/3)). */
export function projectionSize(points: number): number {
  return Math.max(1, Math.trunc((4 * Math.log(points)) / (epsilon ** 2 / 2 - epsilon ** 3 / 3)));
}

/**
 * A sparse random projection (Li, Hastie and Church 2006): each weight is nonzero with probability 1/√elements, then ± with
 * equal chance, scaled so that lengths are kept on average. The same for the same seed.
 */
export function sparseProjection(elements: number, size: number, seed: number): SparseMatrix {
  const generator = xoroshiro128plus(seed);
  const density = 1 / Math.sqrt(elements);
  const starts: number[] = [0];
  const entries: number[] = [];
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < elements; column++) {
      const draw = uniformFloat64(generator);
      if (draw < density) entries.push(column * 2 + (draw < density / 2 ? 1 : 0));
    }
    starts.push(entries.length);
  }
  return finished(starts, entries, Math.sqrt(1 / density) / Math.sqrt(size));
}

/** The matrix that changes nothing. */
export function identityProjection(elements: number): SparseMatrix {
  const columns = Array.from({ length: elements }, (_, column) => column);
  return finished(
    [...columns, elements],
    columns.map((column) => column * 2),
    1,
  );
}

/**
 * The projection in which centres among `points` vectors are chosen: random where it is smaller than the vectors, none
 * otherwise.
 */
export function coresetProjection(points: number, elements: number, seed: number): SparseMatrix {
  const size = projectionSize(points);
  return size < elements ? sparseProjection(elements, size, seed) : identityProjection(elements);
}

function finished(starts: number[], entries: number[], scale: number): SparseMatrix {
  while ((starts.length - 1) % 4 !== 0) starts.push(entries.length);
  // A device tensor is never empty.
  if (entries.length === 0) entries.push(0);
  return { size: starts.length - 1, starts: Float32Array.from(starts), entries: Float32Array.from(entries), scale };
}
