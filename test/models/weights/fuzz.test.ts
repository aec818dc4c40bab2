import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { damagedFile, fuzzTargets, parsesOrRefuses } from './fuzz-targets.js';

describe.each(fuzzTargets)('the parser of $name', (target) => {
  it('reads the files that are then damaged', () => {
    expect(target.seeds.some((seed) => parsesOrRefuses(target, seed))).toBe(true);
  });

  it('parses or refuses with a typed error, wherever a file is cut', () => {
    for (const seed of target.seeds) {
      for (let length = 0; length < seed.length; length++) parsesOrRefuses(target, seed.subarray(0, length));
    }
  });

  it('parses or refuses with a typed error, whatever byte is flipped', () => {
    for (const seed of target.seeds) {
      for (let index = 0; index < seed.length; index++) {
        const damaged = seed.slice();
        damaged[index] = (damaged[index] ?? 0) ^ (1 << (index % 8));
        parsesOrRefuses(target, damaged);
      }
    }
  });

  it('parses or refuses with a typed error in 300 damaged files', () => {
    let parsed = 0;
    fc.assert(
      fc.property(damagedFile(target), (bytes) => {
        if (parsesOrRefuses(target, bytes)) parsed++;
      }),
      { numRuns: 300 },
    );
    expect(parsed).toBeGreaterThan(0);
  });
});
