import type { NamedTensors } from '../engine/tensor.js';
import type { LoadedPosition, PositionSource, Predictor } from '../models/predictor.js';

/**
 * Parameters of positions on the device, at most `capacity` at once. The one used longest ago makes room, its memory
 * overwritten in place, so that there are never two sets for one place. The next position's parameters can be fetched
 * to the host while the device still computes with this one's.
 */
export class PositionCache implements PositionSource {
  readonly #loaded = new Map<number, LoadedPosition>();
  #prefetched: { position: number; tensors: Promise<NamedTensors> } | undefined;

  constructor(
    private readonly predictor: Predictor,
    private readonly read: (position: number) => Promise<NamedTensors>,
    readonly capacity: number,
  ) {}

  /** Starts reading a position's parameters to the host, unless they are at hand. */
  prefetch(position: number): void {
    if (this.#loaded.has(position) || this.#prefetched?.position === position) return;
    const tensors = this.read(position);
    // The error belongs to whoever asks for the position.
    tensors.catch(() => undefined);
    this.#prefetched = { position, tensors };
  }

  /** The position, if its parameters are on the device; used now, so it is the last to make room. */
  loaded(position: number): LoadedPosition | undefined {
    const known = this.#loaded.get(position);
    if (!known) return undefined;
    this.#loaded.delete(position);
    this.#loaded.set(position, known);
    return known;
  }

  /** Brings a position's parameters to the device. Uploads queue behind everything submitted so far. */
  async load(position: number): Promise<LoadedPosition> {
    const fetched = this.#prefetched?.position === position ? this.#prefetched.tensors : this.read(position);
    this.#prefetched = undefined;
    const tensors = await fetched;
    const [oldest] = this.#loaded;
    if (this.#loaded.size >= this.capacity && oldest) {
      this.#loaded.delete(oldest[0]);
      await this.predictor.replace(oldest[1], tensors);
      this.#loaded.set(position, oldest[1]);
      return oldest[1];
    }
    const loaded = await this.predictor.load(tensors);
    this.#loaded.set(position, loaded);
    return loaded;
  }

  /** Frees all positions. */
  clear(): void {
    for (const loaded of this.#loaded.values()) this.predictor.release(loaded);
    this.#loaded.clear();
  }
}
