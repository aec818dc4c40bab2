const floats = new Float32Array(1);
const words = new Uint32Array(floats.buffer);
/** Ordered key of -Infinity, the lowest number. */
const LOWEST_KEY = 0x007fffff;

/**
 * Maps the bit pattern of a 32-bit float to an unsigned 32-bit integer with the same order: negative numbers are inverted, the
 * others get the sign bit set. 0 and -0 have the same key; NaN has none and gives -1.
 */
export function orderedKeyOfBits(bits: number): number {
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return -1;
  if (magnitude === 0) return 0x80000000;
  return (bits >>> 31 === 1 ? ~bits : bits | 0x80000000) >>> 0;
}

/** The float that an ordered key stands for; keys below that of -Infinity give -Infinity. */
export function floatOfOrderedKey(key: number): number {
  const known = Math.max(key, LOWEST_KEY);
  words[0] = known >>> 31 === 1 ? known & 0x7fffffff : ~known;
  return floats[0] ?? 0;
}
