import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { uniformInt } from 'pure-rand/distribution/uniformInt';

/** Numbers of a seeded sequence. */
export interface RandomNumbers {
  /** Uniform in [0, 1), 32 bits. */
  uniform(): number;
  /** Standard normal (Box and Muller). */
  normal(): number;
}

/** A number for a text, so that every name has a sequence of its own whatever the order of use (FNV-1a). */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash;
}

/** The sequence that belongs to a seed and a name. */
export function randomNumbers(seed: number, name: string): RandomNumbers {
  const generator = xoroshiro128plus(seed ^ hashText(name));
  const uniform = (): number => (generator.next() >>> 0) / 2 ** 32;
  let spare: number | undefined;
  return {
    uniform,
    normal: () => {
      if (spare !== undefined) {
        const value = spare;
        spare = undefined;
        return value;
      }
      const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
      const angle = 2 * Math.PI * uniform();
      spare = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    },
  };
}

/** A seeded permutation of 0 … count − 1 (Fisher and Yates). */
export function permutation(count: number, seed: number, name: string): number[] {
  const generator = xoroshiro128plus(seed ^ hashText(name));
  const order = Array.from({ length: count }, (_, index) => index);
  for (let last = count - 1; last > 0; last--) {
    const other = uniformInt(generator, 0, last);
    const kept = order[last] ?? 0;
    order[last] = order[other] ?? 0;
    order[other] = kept;
  }
  return order;
}
