import { radixSort } from './radix-sort.js';

const BLOCK_BITS = 5;
const BLOCK = 1 << BLOCK_BITS;
/** Blocks of counters that are allocated together. */
const CHUNK_BITS = 10;
const CHUNK_BLOCKS = 1 << CHUNK_BITS;
const COUNTER_RANGE = 0x10000;
/** Keys that are collected before they are merged. */
const PENDING = 2 ** 19;

/**
 * Counts of unsigned 32-bit keys of which neighbouring ones are common. Counters are 16 bits wide and lie in blocks of 32
 * neighbouring keys; a block is allocated when one of its keys first appears. A counter that overflows carries into a map, which
 * has at most one entry for every 65,536 items counted. Takes 72 bytes a block, and 4 MB for new keys: these are collected, sorted
 * and merged in one sweep over the sorted blocks, which is several times faster than looking up each.
 */
export class BlockCounts {
  /** High bits of the keys of each block, rising. */
  #prefixes = new Uint32Array(0);
  /** Place of each block's counters, in the order of `#prefixes`. */
  #places = new Uint32Array(0);
  #chunks: Uint16Array[] = [];
  #carries = new Map<number, number>();
  #pending = new Uint32Array(PENDING);
  #scratch = new Uint32Array(PENDING);
  #pendingCount = 0;

  /** Number of blocks in use; right after `merge`. */
  get blocks(): number {
    return this.#prefixes.length;
  }

  /** Counts one more item at a key. Returns true if `merge` must be called before the next one. */
  add(key: number): boolean {
    this.#pending[this.#pendingCount++] = key;
    return this.#pendingCount === PENDING;
  }

  /** Counts the keys that were collected by `add`. */
  merge(): void {
    const keys = this.#pending;
    const count = this.#pendingCount;
    this.#pendingCount = 0;
    if (count === 0) return;
    radixSort(keys, this.#scratch, count);

    const prefixes = this.#prefixes;
    const newPrefixes: number[] = [];
    let block = 0;
    for (let index = 0; index < count;) {
      const prefix = (keys[index] ?? 0) >>> BLOCK_BITS;
      while (block < prefixes.length && (prefixes[block] ?? 0) < prefix) block++;
      let place: number;
      if (block < prefixes.length && prefixes[block] === prefix) place = this.#places[block] ?? 0;
      else {
        place = prefixes.length + newPrefixes.length;
        newPrefixes.push(prefix);
      }
      for (; index < count && (keys[index] ?? 0) >>> BLOCK_BITS === prefix; index++) {
        this.#count(place, keys[index] ?? 0, 1);
      }
    }
    if (newPrefixes.length > 0) this.#insert(newPrefixes);
  }

  /** Calls `visitor` for every key with a count, from the highest key to the lowest. */
  visitFalling(visitor: (key: number, count: number) => void): void {
    this.merge();
    const prefixes = this.#prefixes;
    const places = this.#places;
    const chunks = this.#chunks;
    const carries = this.#carries;
    for (let block = prefixes.length - 1; block >= 0; block--) {
      const prefix = (prefixes[block] ?? 0) * BLOCK;
      const place = places[block] ?? 0;
      const counters = chunks[place >>> CHUNK_BITS];
      if (counters === undefined) continue;
      const start = (place & (CHUNK_BLOCKS - 1)) << BLOCK_BITS;
      for (let low = BLOCK - 1; low >= 0; low--) {
        let count = counters[start + low] ?? 0;
        if (carries.size > 0) count += (carries.get(prefix + low) ?? 0) * COUNTER_RANGE;
        if (count > 0) visitor(prefix + low, count);
      }
    }
  }

  /** The same counts with the lowest bit of every key dropped. */
  coarsened(): BlockCounts {
    const result = new BlockCounts();
    const prefixes: number[] = [];
    this.visitFalling((key, count) => {
      const prefix = key >>> (BLOCK_BITS + 1);
      if (prefixes.at(-1) !== prefix) prefixes.push(prefix);
      result.#count(prefixes.length - 1, key >>> 1, count);
    });
    result.#prefixes = Uint32Array.from(prefixes).reverse();
    result.#places = Uint32Array.from(prefixes, (_, index) => prefixes.length - 1 - index);
    return result;
  }

  #count(place: number, key: number, amount: number): void {
    const chunkNumber = place >>> CHUNK_BITS;
    let counters = this.#chunks[chunkNumber];
    if (counters === undefined) {
      counters = new Uint16Array(CHUNK_BLOCKS * BLOCK);
      this.#chunks[chunkNumber] = counters;
    }
    const slot = ((place & (CHUNK_BLOCKS - 1)) << BLOCK_BITS) | (key & (BLOCK - 1));
    const total = (counters[slot] ?? 0) + amount;
    counters[slot] = total % COUNTER_RANGE;
    if (total >= COUNTER_RANGE) {
      this.#carries.set(key, (this.#carries.get(key) ?? 0) + Math.floor(total / COUNTER_RANGE));
    }
  }

  /** Merges the prefixes of new blocks (rising), whose counters were placed behind the others in this order. */
  #insert(added: readonly number[]): void {
    const old = this.#prefixes;
    const oldPlaces = this.#places;
    const prefixes = new Uint32Array(old.length + added.length);
    const places = new Uint32Array(old.length + added.length);
    let from = 0;
    let fromAdded = 0;
    for (let target = 0; target < prefixes.length; target++) {
      const next = added[fromAdded];
      if (next === undefined || (from < old.length && (old[from] ?? 0) < next)) {
        prefixes[target] = old[from] ?? 0;
        places[target] = oldPlaces[from] ?? 0;
        from++;
      } else {
        prefixes[target] = next;
        places[target] = old.length + fromAdded;
        fromAdded++;
      }
    }
    this.#prefixes = prefixes;
    this.#places = places;
  }
}
