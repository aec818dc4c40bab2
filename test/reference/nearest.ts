/** Nearest rows in 64-bit arithmetic. */
export interface NearestReference {
  /** Squared distances of every row to the query, in the order of the rows. */
  readonly squares: Float64Array;
  /** Row numbers by distance, then by number. */
  readonly order: readonly number[];
  /** What f32 ranking may err for the query: 4·d·2⁻²⁴·(|b|·|q − o| + |b − o|²), o being row 0, at the worst rows. */
  readonly bound: number;
}

/** Brute force over all rows, in f64. */
export function nearestReference(query: Float32Array, bank: Float32Array, elements: number): NearestReference {
  const rows = bank.length / elements;
  const squares = new Float64Array(rows);
  let longest = 0;
  let farthest = 0;
  let length = 0;
  for (let k = 0; k < elements; k++) length += ((query[k] ?? 0) - (bank[k] ?? 0)) ** 2;
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    let norm = 0;
    let fromOrigin = 0;
    for (let k = 0; k < elements; k++) {
      const value = bank[row * elements + k] ?? 0;
      const difference = (query[k] ?? 0) - value;
      sum += difference * difference;
      norm += value * value;
      fromOrigin += (value - (bank[k] ?? 0)) ** 2;
    }
    squares[row] = sum;
    longest = Math.max(longest, norm);
    farthest = Math.max(farthest, fromOrigin);
  }
  const order = Array.from({ length: rows }, (_, row) => row);
  order.sort((a, b) => (squares[a] ?? 0) - (squares[b] ?? 0) || a - b);
  return { squares, order, bound: 4 * elements * 2 ** -24 * (Math.sqrt(longest * length) + farthest) };
}
