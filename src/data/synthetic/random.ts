import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** A stream of random numbers; each call moves it on. */
export interface Random {
  /** 32 random bits, unsigned. */
  bits(): number;
  /** Uniform in [low, high). */
  uniform(low: number, high: number): number;
  /** Uniform whole number in [low, high], both included. */
  integer(low: number, high: number): number;
  /** True with the given probability. */
  chance(probability: number): boolean;
  /** Standard normal, cut at ±3.5. */
  normal(): number;
  /** One of the items. */
  pick<T>(items: readonly [T, ...T[]]): T;
}

/** Mixes whole numbers into one 32-bit seed (murmur3's finaliser after each), so that neighbours share nothing. */
export function mixSeed(...parts: readonly number[]): number {
  let hash = 0x9e3779b9;
  for (const part of parts) {
    hash = Math.imul(hash ^ (part | 0), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35);
    hash ^= hash >>> 13;
  }
  return hash | 0;
}

/**
 * 1024 equally likely values of a standard normal distribution, for noise by table: a 10-bit random number is an index.
 * Winitzki's approximation of the inverse error function, within 4e-3.
 */
export const normalQuantiles: Float32Array = Float32Array.from({ length: 1024 }, (_, i) => {
  const x = (2 * i + 1) / 1024 - 1;
  const logarithm = Math.log(1 - x * x);
  const a = 0.147;
  const b = 2 / (Math.PI * a) + logarithm / 2;
  return Math.SQRT2 * Math.sign(x) * Math.sqrt(Math.sqrt(b * b - logarithm / a) - b);
});

/** A stream that depends on nothing but the given whole numbers. */
export function createRandom(...seed: readonly number[]): Random {
  const generator = xoroshiro128plus(mixSeed(...seed));
  const bits = (): number => generator.next() >>> 0;
  const unit = (): number => bits() / 0x100000000;
  const integer = (low: number, high: number): number => low + Math.floor(unit() * (high - low + 1));
  return {
    bits,
    uniform: (low, high) => low + unit() * (high - low),
    integer,
    chance: (probability) => unit() < probability,
    normal: () => normalQuantiles[bits() >>> 22] ?? 0,
    pick: (items) => items[integer(0, items.length - 1)] ?? items[0],
  };
}
