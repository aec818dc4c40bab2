import { TilesightError } from './errors.js';

/** Bytes as people read them: `82.7 MiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const index = Math.min(units.length - 1, bytes > 0 ? Math.floor(Math.log2(bytes) / 10) : 0);
  const value = bytes / 2 ** (10 * index);
  return `${index === 0 ? value : value.toFixed(value < 10 ? 2 : 1)} ${units[index] ?? 'B'}`;
}

/** Parses `512MiB`, `4GB`, `2g` or a plain number of bytes; undefined when it is none. */
export function parseBytes(text: string): number | undefined {
  const match = /^\s*([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?)(i?)(b?)\s*$/i.exec(text);
  if (!match) return undefined;
  const power = ['', 'k', 'm', 'g', 't'].indexOf((match[2] ?? '').toLowerCase());
  const decimal = match[4] !== '' && match[3] === '';
  return Math.floor(Number(match[1]) * (decimal ? 1000 : 1024) ** power);
}

/** The size a buffer of `bytes` really gets: whole vectors of four 32-bit words, so that kernels may bind `array<vec4f>`. */
export function allocationSize(bytes: number): number {
  return Math.max(16, Math.ceil(bytes / 16) * 16);
}

/** One point of the curve of device bytes over time. */
export interface MemorySample {
  /** Milliseconds since the accountant was made. */
  readonly time: number;
  readonly bytes: number;
}

/**
 * Counts every byte allocated on the device, by owner, against a budget that refuses before anything is allocated.
 * The driver's own out-of-memory errors are no help on software adapters, which "create" buffers they cannot back.
 */
export class Accountant {
  #live = 0;
  #peak = 0;
  #allocations = 0;
  readonly #byOwner = new Map<string, number>();
  readonly #peakByOwner = new Map<string, number>();
  readonly #started = performance.now();
  #samples: MemorySample[] = [];

  constructor(public budgetBytes: number = Infinity) {}

  get liveBytes(): number {
    return this.#live;
  }

  get peakBytes(): number {
    return this.#peak;
  }

  /** Number of allocations since the start: constant in steady state. */
  get allocations(): number {
    return this.#allocations;
  }

  /** Live bytes of each owner. */
  get byOwner(): ReadonlyMap<string, number> {
    return this.#byOwner;
  }

  /** Highest live bytes that each owner had. */
  get peakByOwner(): ReadonlyMap<string, number> {
    return this.#peakByOwner;
  }

  /** Device bytes over time, thinned to at most about 2,000 points. */
  get samples(): readonly MemorySample[] {
    return this.#samples;
  }

  /** Registers an allocation; throws when it would pass the budget. */
  allocate(bytes: number, owner: string, label: string): void {
    if (this.#live + bytes > this.budgetBytes) {
      throw new TilesightError(
        'memory',
        `device memory: ${label} (${owner}) needs ${formatBytes(bytes)} on top of ${formatBytes(this.#live)}, ` +
          `the budget is ${formatBytes(this.budgetBytes)}: use a smaller tile or batch, or a larger --memory`,
      );
    }
    this.#allocations += 1;
    this.#change(bytes, owner);
  }

  /** Takes an allocation back. */
  release(bytes: number, owner: string): void {
    this.#change(-bytes, owner);
  }

  /** Starts a new peak from what is live now. */
  resetPeak(): void {
    this.#peak = this.#live;
    this.#peakByOwner.clear();
    for (const [owner, bytes] of this.#byOwner) this.#peakByOwner.set(owner, bytes);
  }

  #change(bytes: number, owner: string): void {
    this.#live += bytes;
    const owned = (this.#byOwner.get(owner) ?? 0) + bytes;
    if (owned === 0) this.#byOwner.delete(owner);
    else this.#byOwner.set(owner, owned);
    this.#peakByOwner.set(owner, Math.max(this.#peakByOwner.get(owner) ?? 0, owned));
    this.#peak = Math.max(this.#peak, this.#live);
    this.#samples.push({ time: performance.now() - this.#started, bytes: this.#live });
    if (this.#samples.length > 4000) {
      // Keep the higher of each pair: thinning must not hide a peak.
      const thinned: MemorySample[] = [];
      for (let i = 0; i + 1 < this.#samples.length; i += 2) {
        const [a, b] = [this.#samples[i], this.#samples[i + 1]];
        if (a && b) thinned.push(a.bytes > b.bytes ? a : b);
      }
      this.#samples = thinned;
    }
  }
}
