import { KeyIndex, numbersByFallingKey } from './key-index.js';

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

  /** The same counts with the lowest bit of every key dropped. */
  coarsened(): WeightedCounts {
    const result = new WeightedCounts();
    const { keys, counts, weights } = this.falling();
    keys.forEach((key, rank) => result.add(key >>> 1, counts[rank] ?? 0, weights[rank] ?? 0));
    return result;
  }
}

function doubled(values: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const result = new Float64Array(values.length * 2);
  result.set(values);
  return result;
}
