import { KeyIndex, numbersByFallingKey } from './key-index.js';

const BLOCK_BITS = 5;
const BLOCK = 1 << BLOCK_BITS;
/** Blocks of counters allocated together. */
const CHUNK_BITS = 10;
const CHUNK_BLOCKS = 1 << CHUNK_BITS;
const COUNTER_RANGE = 0x10000;

/**
 * Counts of 32-bit keys of which neighbouring ones are common: 16-bit counters in blocks of 32 neighbouring keys, allocated when
 * first touched. A counter that overflows carries into a map, which has at most one entry for every 65,536 items counted. Takes
 * 80 to 96 bytes a block.
 */
export class BlockCounts {
  #blocks = new KeyIndex();
  #chunks: Uint16Array[] = [];
  #carries = new Map<number, number>();

  /** Number of blocks in use. */
  get blocks(): number {
    return this.#blocks.size;
  }

  /** Counts `amount` (a whole number > 0) more items at a key. */
  add(key: number, amount: number): void {
    const block = this.#blocks.numberOf(key >>> BLOCK_BITS);
    const chunkNumber = block >>> CHUNK_BITS;
    let chunk = this.#chunks[chunkNumber];
    if (chunk === undefined) {
      chunk = new Uint16Array(CHUNK_BLOCKS * BLOCK);
      this.#chunks[chunkNumber] = chunk;
    }
    const slot = ((block & (CHUNK_BLOCKS - 1)) << BLOCK_BITS) | (key & (BLOCK - 1));
    const total = (chunk[slot] ?? 0) + amount;
    if (total < COUNTER_RANGE) {
      chunk[slot] = total;
      return;
    }
    chunk[slot] = total % COUNTER_RANGE;
    this.#carries.set(key, (this.#carries.get(key) ?? 0) + Math.floor(total / COUNTER_RANGE));
  }

  /** Calls `visitor` for every key with a count, from the highest key to the lowest. */
  visitFalling(visitor: (key: number, count: number) => void): void {
    const prefixes = this.#blocks.keys();
    for (const block of numbersByFallingKey(prefixes)) {
      const prefix = (prefixes[block] ?? 0) * BLOCK;
      const chunk = this.#chunks[block >>> CHUNK_BITS];
      const start = (block & (CHUNK_BLOCKS - 1)) << BLOCK_BITS;
      for (let low = BLOCK - 1; low >= 0; low--) {
        const key = prefix + low;
        let count = chunk?.[start + low] ?? 0;
        if (this.#carries.size > 0) count += (this.#carries.get(key) ?? 0) * COUNTER_RANGE;
        if (count > 0) visitor(key, count);
      }
    }
  }

  /** The same counts with `bits` low bits of every key dropped. */
  coarsened(bits: number): BlockCounts {
    const result = new BlockCounts();
    this.visitFalling((key, count) => result.add(key >>> bits, count));
    return result;
  }
}

/** Counts and weights of 32-bit keys of which few are neighbours: one entry a key. Takes 32 to 64 bytes a key. */
export class WeightedCounts {
  #index = new KeyIndex();
  #counts = new Float64Array(256);
  #weights = new Float64Array(256);

  /** Number of distinct keys. */
  get keys(): number {
    return this.#index.size;
  }

  /** Counts `amount` more items of the total weight `weight` at a key. */
  add(key: number, amount: number, weight: number): void {
    const number = this.#index.numberOf(key);
    if (number >= this.#counts.length) {
      this.#counts = doubled(this.#counts);
      this.#weights = doubled(this.#weights);
    }
    this.#counts[number] = (this.#counts[number] ?? 0) + amount;
    this.#weights[number] = (this.#weights[number] ?? 0) + weight;
  }

  /** All keys from the highest to the lowest, with their counts and weights. */
  falling(): { readonly keys: Uint32Array; readonly counts: Float64Array; readonly weights: Float64Array } {
    const keys = this.#index.keys();
    const order = numbersByFallingKey(keys);
    return {
      keys: order.map((number) => keys[number] ?? 0),
      counts: Float64Array.from(order, (number) => this.#counts[number] ?? 0),
      weights: Float64Array.from(order, (number) => this.#weights[number] ?? 0),
    };
  }

  /** The same counts with `bits` low bits of every key dropped. */
  coarsened(bits: number): WeightedCounts {
    const result = new WeightedCounts();
    const { keys, counts, weights } = this.falling();
    keys.forEach((key, rank) => result.add(key >>> bits, counts[rank] ?? 0, weights[rank] ?? 0));
    return result;
  }
}

function doubled(values: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const result = new Float64Array(values.length * 2);
  result.set(values);
  return result;
}
