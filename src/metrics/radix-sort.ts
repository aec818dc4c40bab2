const DIGIT_BITS = 11;
const DIGITS = 1 << DIGIT_BITS;

/**
 * Sorts the first `count` unsigned 32-bit numbers of `values` in rising order: least-significant-digit radix sort, three passes of
 * eleven bits, several times faster than the built-in sort.
 *
 * @param scratch as long as `values` at least; its content is overwritten
 */
export function radixSort(values: Uint32Array, scratch: Uint32Array, count: number): void {
  let source = values;
  let target = scratch;
  const starts = new Uint32Array(DIGITS);
  for (let shift = 0; shift < 32; shift += DIGIT_BITS) {
    starts.fill(0);
    for (let index = 0; index < count; index++) {
      const digit = ((source[index] ?? 0) >>> shift) & (DIGITS - 1);
      starts[digit] = (starts[digit] ?? 0) + 1;
    }
    let start = 0;
    for (let digit = 0; digit < DIGITS; digit++) {
      const size = starts[digit] ?? 0;
      starts[digit] = start;
      start += size;
    }
    for (let index = 0; index < count; index++) {
      const value = source[index] ?? 0;
      const digit = (value >>> shift) & (DIGITS - 1);
      const at = starts[digit] ?? 0;
      target[at] = value;
      starts[digit] = at + 1;
    }
    [source, target] = [target, source];
  }
  if (source !== values) values.set(source.subarray(0, count));
}
