import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Mask, ScoreMap } from '../../src/data/image.js';
import {
  areaUnderPrecisionRecall,
  areaUnderPro,
  areaUnderRoc,
  bestF1,
  condensed,
  f1At,
  perRegionOverlapAt,
  pixelMetrics,
  PixelScores,
  tieBounds,
} from '../../src/metrics/index.js';
import { naiveAupr, naiveAupro, naiveAuroc, naiveBestF1, naivePro, type LabelledMap } from '../reference/metrics.js';

const scoreMap = (map: LabelledMap): ScoreMap => ({
  height: map.height,
  width: map.width,
  data: Float32Array.from(map.scores),
});
const maskOf = (map: LabelledMap): Mask => ({
  height: map.height,
  width: map.width,
  data: Uint8Array.from(map.truth, (is) => is * 255),
});

function fill(maps: readonly LabelledMap[], options?: ConstructorParameters<typeof PixelScores>[0]): PixelScores {
  const scores = new PixelScores(options);
  for (const map of maps) scores.add(scoreMap(map), map.truth.includes(1) ? maskOf(map) : undefined);
  return scores;
}

/** The map of anomalib's AUPRO test: 400×7, scores k/2800, the given columns defective. */
const ramp = (columns: readonly number[]): LabelledMap => ({
  height: 400,
  width: 7,
  scores: Array.from({ length: 2800 }, (_, pixel) => pixel / 2800),
  truth: Array.from({ length: 2800 }, (_, pixel) => (columns.includes(pixel % 7) ? 1 : 0)),
});

/** A small map with ties, negative numbers, and at least one pixel of either kind. */
const anyMap = fc
  .record({ height: fc.integer({ min: 1, max: 6 }), width: fc.integer({ min: 2, max: 7 }) })
  .chain(({ height, width }) =>
    fc.record({
      height: fc.constant(height),
      width: fc.constant(width),
      scores: fc.array(
        fc.integer({ min: -5, max: 5 }).map((k) => k / 2),
        { minLength: height * width, maxLength: height * width },
      ),
      truth: fc
        .array(fc.constantFrom<0 | 1>(0, 1), { minLength: height * width, maxLength: height * width })
        .map((truth): (0 | 1)[] => [0, 1, ...truth.slice(2)]),
    }),
  );

const pixels = (maps: readonly LabelledMap[]) => ({
  scores: maps.flatMap((map) => map.scores),
  labels: maps.flatMap((map): number[] => [...map.truth]),
});

/** A map of many distinct, slightly overlapping scores. */
function noisyMap(seed: number, size: number): LabelledMap {
  let state = seed;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const truth = Array.from({ length: size * size }, (_, pixel): 0 | 1 =>
    Math.floor(pixel / size) % 8 === 3 && pixel % size < 5 ? 1 : 0,
  );
  return { height: size, width: size, truth, scores: truth.map((is) => Math.fround(random() * 3 + random() + is)) };
}

describe('AUPRO', () => {
  it('of the ramp is 1/6 at a limit of 1/3, for one image, another and both', () => {
    const one = ramp([3]);
    const three = ramp([1, 3, 5]);
    for (const maps of [[one], [three], [one, three]]) {
      expect(areaUnderPro(fill(maps), 1 / 3)).toBeCloseTo(1 / 6, 3);
    }
    expect(fill([one, three]).regions).toBe(4);
  });

  it('rejects a limit outside (0, 1]', () => {
    expect(() => areaUnderPro(fill([ramp([3])]), 0)).toThrow(RangeError);
  });
});

describe('PRO at a threshold', () => {
  it('goes down a staircase with the threshold', () => {
    // Five regions of one pixel each with scores 0.1, 0.3, 0.5, 0.7, 0.9.
    const truth = Array.from({ length: 10 }, (_, pixel): 0 | 1 => (pixel % 2 === 0 ? 1 : 0));
    const map = { height: 1, width: 10, truth, scores: truth.map((is, pixel) => (is === 1 ? 0.1 + pixel / 10 : 0)) };
    const scores = fill([map]);
    const steps = [0, 0.2, 0.4, 0.6, 0.8, 1].map((threshold) => perRegionOverlapAt(scores, threshold));
    steps.forEach((step, index) => expect(step).toBeCloseTo(1 - index / 5, 12));
  });
});

describe('PixelScores', () => {
  it('gives exactly the metrics of the definitions over several maps', () => {
    fc.assert(
      fc.property(
        fc.array(anyMap, { minLength: 1, maxLength: 3 }),
        fc.double({ min: 0.05, max: 1, noNaN: true }),
        (maps, limit) => {
          const ranking = fill(maps);
          const { scores, labels } = pixels(maps);
          expect(ranking.droppedBits).toBe(0);
          expect(areaUnderRoc(ranking)).toBeCloseTo(naiveAuroc(scores, labels), 12);
          expect(areaUnderPrecisionRecall(ranking)).toBeCloseTo(naiveAupr(scores, labels), 12);
          expect(bestF1(ranking)?.threshold).toBe(naiveBestF1(scores, labels).threshold);
          expect(areaUnderPro(ranking, limit)).toBeCloseTo(naiveAupro(maps, limit), 10);
          expect(perRegionOverlapAt(ranking, 0.5)).toBeCloseTo(naivePro(maps, 0.5), 12);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('keeps areas and best F1 when condensed', () => {
    fc.assert(
      fc.property(fc.array(anyMap, { minLength: 1, maxLength: 3 }), (maps) => {
        const full = fill(maps);
        const short = condensed(full);
        expect(areaUnderRoc(short)).toBe(areaUnderRoc(full));
        expect(areaUnderPro(short)).toBeCloseTo(areaUnderPro(full) ?? NaN, 12);
        expect(areaUnderPrecisionRecall(short)).toBeCloseTo(areaUnderPrecisionRecall(full) ?? NaN, 12);
        expect(bestF1(short)).toEqual(bestF1(full));
      }),
      { numRuns: 40 },
    );
  });

  it('is unchanged by a monotone map and by the order of the images', () => {
    const maps = [noisyMap(1, 32), noisyMap(2, 32), noisyMap(3, 32)];
    const forward = pixelMetrics(fill(maps), 3);
    const backward = pixelMetrics(fill([...maps].reverse()), 3);
    expect(backward.pixelAUROC).toBe(forward.pixelAUROC);
    expect(backward.pixelF1).toBe(forward.pixelF1);
    expect(backward.pixelAUPRO).toBeCloseTo(forward.pixelAUPRO ?? NaN, 12);
    const doubled = maps.map((map) => ({ ...map, scores: map.scores.map((score) => score * 2 - 16) }));
    expect(pixelMetrics(fill(doubled), 3 * 2 - 16)).toEqual(forward);
  });

  it('ranks 0 with -0, infinities at the ends, and negative numbers below positive ones', () => {
    const scores = [-Infinity, -2, -1, -0, 0, 1e-40, 1, Infinity];
    const levels: number[][] = [];
    const ranking = fill([{ height: 1, width: 8, scores, truth: [0, 0, 0, 1, 0, 1, 1, 1] }]);
    ranking.visit((score, good, defective) => levels.push([score, good, defective]));
    expect(levels).toEqual([
      [Infinity, 0, 1],
      [1, 0, 1],
      [Math.fround(1e-40), 0, 1],
      [0, 1, 1],
      [-1, 1, 0],
      [-2, 1, 0],
      [-Infinity, 1, 0],
    ]);
  });

  it('counts beyond 16 bits', () => {
    const constant = { height: 300, width: 300, data: new Float32Array(90_000).fill(2) };
    const scores = new PixelScores();
    scores.add(constant);
    scores.add(constant);
    scores.add(scoreMap({ height: 1, width: 2, scores: [2, 3], truth: [1, 1] }), {
      height: 1,
      width: 2,
      data: Uint8Array.of(1, 1),
    });
    expect(areaUnderRoc(scores)).toBe(0.75);
    expect(f1At(scores, 2)).toBeCloseTo((2 * 2) / (180_002 + 2), 12);
  });

  it('stays within its limits by dropping bits, in any order of the images, with an error below the bound', () => {
    const maps = [noisyMap(11, 64), noisyMap(12, 64), noisyMap(13, 64)];
    const exact = fill(maps);
    const limits = { blocks: 200, defectLevels: 100 };
    const coarse = fill(maps, limits);
    const reversed = fill([...maps].reverse(), limits);
    expect(exact.droppedBits).toBe(0);
    expect(coarse.droppedBits).toBeGreaterThan(5);
    expect(reversed.droppedBits).toBe(coarse.droppedBits);
    expect(areaUnderRoc(reversed)).toBe(areaUnderRoc(coarse));

    let good = 0;
    coarse.visit((_score, count) => (good += count));
    expect(good).toBe(exact.good);
    const bounds = tieBounds(coarse);
    expect(bounds.areaUnderRoc).toBeGreaterThan(0);
    expect(bounds.areaUnderRoc).toBeLessThan(0.02);
    expect(Math.abs((areaUnderRoc(coarse) ?? NaN) - (areaUnderRoc(exact) ?? NaN))).toBeLessThan(bounds.areaUnderRoc);
    expect(Math.abs((areaUnderPro(coarse) ?? NaN) - (areaUnderPro(exact) ?? NaN))).toBeLessThan(bounds.areaUnderPro);
    expect(pixelMetrics(coarse, 3).errorBound).toBe(Math.max(bounds.areaUnderRoc, bounds.areaUnderPro));
    expect(pixelMetrics(exact, 3).errorBound).toBe(0);
  });

  it('keeps the order of extreme values when bits are dropped', () => {
    const scores = new PixelScores({ blocks: 1 });
    scores.add({ height: 1, width: 4, data: Float32Array.of(-Infinity, -1, 1, Infinity) });
    const seen: number[] = [];
    scores.visit((score) => seen.push(score));
    expect(scores.droppedBits).toBeGreaterThan(20);
    expect(seen.every((score, index) => index === 0 || score < (seen[index - 1] ?? 0))).toBe(true);
    expect(seen.some(Number.isNaN)).toBe(false);
  });

  it('is undefined, never a crash, for all-good, all-defective and NaN maps', () => {
    const map = { height: 1, width: 3, data: Float32Array.of(1, 2, 3) };
    const good = new PixelScores();
    good.add(map);
    const empty = { pixelAUROC: undefined, pixelAUPR: undefined, pixelAUPRO: undefined, errorBound: 0 };
    expect(pixelMetrics(good, 2)).toMatchObject({ ...empty, pixelF1: undefined, pixelPRO: undefined });
    const defective = new PixelScores();
    defective.add(map, { height: 1, width: 3, data: Uint8Array.of(1, 1, 1) });
    expect(pixelMetrics(defective, 2)).toMatchObject({ ...empty, pixelF1: 0.8, pixelF1Max: 1 });
    expect(pixelMetrics(defective, undefined).pixelF1).toBeUndefined();
    const broken = new PixelScores();
    broken.add({ ...map, data: Float32Array.of(1, NaN, 3) }, { height: 1, width: 3, data: Uint8Array.of(0, 0, 1) });
    expect(broken.unranked).toBe(1);
    expect(pixelMetrics(broken, 2)).toMatchObject({ ...empty, pixelF1: undefined, pixelF1Max: undefined });
    expect(pixelMetrics(new PixelScores(), 1)).toMatchObject(empty);
  });

  it('refuses a mask of another size and limits out of range', () => {
    const scores = new PixelScores();
    const map = { height: 2, width: 2, data: new Float32Array(4) };
    expect(() => scores.add(map, { height: 2, width: 3, data: new Uint8Array(6) })).toThrow(/2×3.*2×2/);
    expect(() => scores.add({ ...map, height: 3 })).toThrow(RangeError);
    expect(() => new PixelScores({ blocks: 0 })).toThrow(RangeError);
  });
});
