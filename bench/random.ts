import { uniformFloat32 } from 'pure-rand/distribution/uniformFloat32';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** Reproducible numbers, even in (−scale, scale). */
export function randomNumbers(count: number, seed: number, scale = 1): Float32Array {
  const generator = xoroshiro128plus(seed);
  return Float32Array.from({ length: count }, () => (uniformFloat32(generator) * 2 - 1) * scale);
}
