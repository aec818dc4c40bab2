/** A greedy k-centre in 64-bit arithmetic. */
export interface KCentreReference {
  readonly picks: readonly number[];
  /** By how much the best candidate of each pick leads the second, relative to its squared distance. */
  readonly leads: readonly number[];
  /** Distance of the farthest vector to all picks. */
  readonly radius: number;
}

/** Squared distances of all vectors to the nearest of the given ones. */
export function squaresToNearest(vectors: Float32Array, elements: number, centres: readonly number[]): Float64Array {
  const squares = new Float64Array(vectors.length / elements).fill(Infinity);
  for (const centre of centres) lower(squares, vectors, elements, centre);
  return squares;
}

function lower(squares: Float64Array, vectors: Float32Array, elements: number, centre: number): void {
  for (let row = 0; row < squares.length; row++) {
    let sum = 0;
    for (let k = 0; k < elements; k++) {
      sum += ((vectors[row * elements + k] ?? 0) - (vectors[centre * elements + k] ?? 0)) ** 2;
    }
    squares[row] = Math.min(squares[row] ?? 0, sum);
  }
}

/** Takes `first`, then always the vector farthest from all taken; of equals the lowest, never one twice. */
export function kCentreReference(
  vectors: Float32Array,
  elements: number,
  wanted: number,
  first: number,
): KCentreReference {
  const squares = new Float64Array(vectors.length / elements).fill(Infinity);
  const picks = [first];
  const leads = [Infinity];
  for (;;) {
    lower(squares, vectors, elements, picks.at(-1) ?? 0);
    for (const pick of picks) squares[pick] = -1;
    let best = 0;
    for (let row = 1; row < squares.length; row++) if ((squares[row] ?? 0) > (squares[best] ?? 0)) best = row;
    const farthest = squares[best] ?? 0;
    if (picks.length === wanted) return { picks, leads, radius: Math.sqrt(Math.max(0, farthest)) };
    let second = -1;
    for (let row = 0; row < squares.length; row++) if (row !== best) second = Math.max(second, squares[row] ?? 0);
    picks.push(best);
    leads.push(farthest > 0 ? (farthest - second) / farthest : Infinity);
  }
}
