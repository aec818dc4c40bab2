import type { NamedTensors } from '../engine/tensor.js';
import type { LoadedPosition, PositionSource, Predictor } from '../models/predictor.js';

/**
 * Parameters of positions on the device, at most `capacity` of `count` at once. Positions are taken in turn, over and over,
 * so the one used last is the one that is wanted latest: it makes room, its memory overwritten in place, and all others
 * stay. There are never two sets for one place. The position that follows is fetched to the host meanwhile.
 */
export class PositionCache implements PositionSource {
  readonly #loaded = new Map<number, LoadedPosition>();
  #lastUsed: number | undefined;
  #fetched: { readonly position: number; readonly tensors: Promise<NamedTensors> } | undefined;

  constructor(
    private readonly predictor: Predictor,
    private readonly read: (position: number) => Promise<NamedTensors>,
    readonly count: number,
    readonly capacity: number,
  ) {}

  /** The position, if its parameters are on the device. */
  loaded(position: number): LoadedPosition | undefined {
    const known = this.#loaded.get(position);
    if (known) this.#lastUsed = position;
    return known;
  }

  /** Brings a position's parameters to the device. Uploads queue behind everything submitted so far. */
  async load(position: number): Promise<LoadedPosition> {
    const fetched = this.#fetched?.position === position ? this.#fetched.tensors : this.read(position);
    this.#fetched = undefined;
    const tensors = await fetched;
    this.#fetchAfter(position);
    const last = this.#lastUsed;
    const place = last === undefined ? undefined : this.#loaded.get(last);
    this.#lastUsed = position;
    if (this.#loaded.size >= this.capacity && last !== undefined && place) {
      this.#loaded.delete(last);
      await this.predictor.replace(place, tensors);
      this.#loaded.set(position, place);
      return place;
    }
    const loaded = await this.predictor.load(tensors);
    this.#loaded.set(position, loaded);
    return loaded;
  }

  /** Starts reading the parameters of the next position that is not on the device. */
  #fetchAfter(position: number): void {
    for (let step = 1; step < this.count; step++) {
      const next = (position + step) % this.count;
      if (this.#loaded.has(next)) continue;
      const tensors = this.read(next);
      // The error belongs to whoever asks for the position.
      tensors.catch(() => undefined);
      this.#fetched = { position: next, tensors };
      return;
    }
  }

  /** Frees all positions. */
  clear(): void {
    for (const loaded of this.#loaded.values()) this.predictor.release(loaded);
    this.#loaded.clear();
    this.#lastUsed = undefined;
    this.#fetched = undefined;
  }
}
