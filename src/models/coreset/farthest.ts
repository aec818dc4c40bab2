/** Rows to pick among. */
export interface Candidates {
  /** Ascending. */
  readonly rows: Uint32Array;
  /** No other row has a larger distance than this. */
  readonly least: number;
}

/**
 * The `most` rows with the largest distances (not negative) among those not taken: by a count of their upper 16 bits, then
 * of the lower ones, which order such floats as their values do. Of equals the lowest rows.
 */
export function farthest(distances: Float32Array, taken: Uint8Array, most: number): Candidates {
  const bits = new Uint32Array(distances.buffer, distances.byteOffset, distances.length);
  const left = taken.reduce((sum, value) => sum - value, taken.length);
  if (left <= most) return { rows: collect(bits, taken, left, 0, left), least: 0 };
  const upper = new Uint32Array(65_536);
  bits.forEach((word, row) => {
    if (taken[row] === 0) upper[word >>> 16] = (upper[word >>> 16] ?? 0) + 1;
  });
  const [high, above] = cut(upper, most);
  const lower = new Uint32Array(65_536);
  bits.forEach((word, row) => {
    if (taken[row] === 0 && word >>> 16 === high) lower[word & 0xffff] = (lower[word & 0xffff] ?? 0) + 1;
  });
  const [low, aboveToo] = cut(lower, most - above);
  const threshold = ((high << 16) | low) >>> 0;
  const rows = collect(bits, taken, most, threshold, most - above - aboveToo);
  return { rows, least: new Float32Array(Uint32Array.of(threshold).buffer)[0] ?? 0 };
}

/** The largest bin at which the counts from the top reach `most`, and how many lie above it. */
function cut(counts: Uint32Array, most: number): [bin: number, above: number] {
  let above = 0;
  for (let bin = counts.length - 1; bin > 0; bin--) {
    const count = counts[bin] ?? 0;
    if (above + count >= most) return [bin, above];
    above += count;
  }
  return [0, above];
}

/** Rows above the threshold, and the first `equals` of those at it. */
function collect(bits: Uint32Array, taken: Uint8Array, count: number, threshold: number, equals: number): Uint32Array {
  const rows = new Uint32Array(count);
  let found = 0;
  let left = equals;
  for (let row = 0; row < bits.length && found < count; row++) {
    if (taken[row] !== 0) continue;
    const word = bits[row] ?? 0;
    if (word < threshold || (word === threshold && left-- <= 0)) continue;
    rows[found++] = row;
  }
  return rows.subarray(0, found);
}
