const INITIAL_BITS = 8;

/**
 * Numbers distinct 32-bit keys in the order in which they first appear: a hash table with open addressing and linear probing, at
 * most half full. Takes 16 to 32 bytes a key.
 */
export class KeyIndex {
  #bits = INITIAL_BITS;
  #keys = new Uint32Array(1 << INITIAL_BITS);
  /** Number of the key in the slot plus one; 0 is an empty slot. */
  #numbers = new Int32Array(1 << INITIAL_BITS);
  #size = 0;

  /** Number of distinct keys seen. */
  get size(): number {
    return this.#size;
  }

  /** The number of a key; a new key gets the next one, which is the `size` before the call. */
  numberOf(key: number): number {
    const mask = this.#keys.length - 1;
    let slot = Math.imul(key, 0x9e3779b1) >>> (32 - this.#bits);
    while (true) {
      const found = this.#numbers[slot] ?? 0;
      if (found === 0) break;
      if (this.#keys[slot] === key) return found - 1;
      slot = (slot + 1) & mask;
    }
    const number = this.#size++;
    this.#keys[slot] = key;
    this.#numbers[slot] = number + 1;
    if (this.#size * 2 > this.#keys.length) this.#grow();
    return number;
  }

  /** All keys, by their number. */
  keys(): Uint32Array {
    const result = new Uint32Array(this.#size);
    for (let slot = 0; slot < this.#numbers.length; slot++) {
      const number = this.#numbers[slot] ?? 0;
      if (number > 0) result[number - 1] = this.#keys[slot] ?? 0;
    }
    return result;
  }

  #grow(): void {
    const oldKeys = this.#keys;
    const oldNumbers = this.#numbers;
    this.#bits++;
    this.#keys = new Uint32Array(1 << this.#bits);
    this.#numbers = new Int32Array(1 << this.#bits);
    const mask = this.#keys.length - 1;
    for (let old = 0; old < oldNumbers.length; old++) {
      const number = oldNumbers[old] ?? 0;
      if (number === 0) continue;
      const key = oldKeys[old] ?? 0;
      let slot = Math.imul(key, 0x9e3779b1) >>> (32 - this.#bits);
      while (this.#numbers[slot] !== 0) slot = (slot + 1) & mask;
      this.#keys[slot] = key;
      this.#numbers[slot] = number;
    }
  }
}

/** The most keys that `numbersByFallingKey` sorts. */
export const LARGEST_SORTED = 2 ** 21;

/** Numbers of the keys (at most `LARGEST_SORTED`) from the highest key to the lowest. */
export function numbersByFallingKey(keys: Uint32Array): Uint32Array {
  // Key and number packed into one double (32 + 21 bits are exact), so that the native numeric sort does the work.
  const packed = new Float64Array(keys.length);
  for (let number = 0; number < keys.length; number++) packed[number] = (keys[number] ?? 0) * LARGEST_SORTED + number;
  packed.sort();
  const numbers = new Uint32Array(keys.length);
  for (let rank = 0; rank < keys.length; rank++) numbers[keys.length - 1 - rank] = (packed[rank] ?? 0) % LARGEST_SORTED;
  return numbers;
}
