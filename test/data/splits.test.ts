import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareCodePoints } from '../../src/data/files.js';
import type { Dataset, Sample } from '../../src/data/image.js';
import { holdOut, limitSamples, sortSamples, splitDataset } from '../../src/data/splits.js';

const sample = (name: string, kind = 'good'): Sample => ({
  name,
  path: `/${name}`,
  label: kind === 'good' ? 0 : 1,
  kind,
  maskPath: undefined,
});
const samplesOf = (count: number, kind = 'good'): Sample[] =>
  Array.from({ length: count }, (_, i) => sample(`${kind}/${String(i).padStart(3, '0')}.png`, kind));
const uniqueNames = fc.uniqueArray(fc.string({ minLength: 1, unit: 'binary' }), { minLength: 2, maxLength: 40 });
const ratios = fc.double({ min: 0.01, max: 0.99, noNaN: true });
const names = (samples: readonly Sample[]): string[] => samples.map(({ name }) => name);

const dataset = (train: Sample[], test: Sample[] = [], validation: Sample[] = []): Dataset => ({
  name: 'set',
  root: '/',
  train,
  validation,
  test,
});

describe('compareCodePoints', () => {
  it('orders as the code points do', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
        const points = (text: string): number[] => Array.from(text, (letter) => letter.codePointAt(0) ?? 0);
        const [x, y] = [points(a), points(b)];
        const first = x.findIndex((point, i) => point !== y[i]);
        const expected = first === -1 ? x.length - y.length : (x[first] ?? 0) - (y[first] ?? -1);
        expect(Math.sign(compareCodePoints(a, b))).toBe(Math.sign(expected));
      }),
    );
    expect(compareCodePoints('\uFFFD', '\u{1F600}')).toBeLessThan(0);
  });
});

describe('holdOut', () => {
  it('parts the samples, keeps some of both, and does not depend on their order', () => {
    fc.assert(
      fc.property(uniqueNames, ratios, fc.integer(), (list, ratio, seed) => {
        const samples = list.map((name) => sample(name));
        const { kept, heldOut } = holdOut(samples, ratio, seed);
        expect(kept.length).toBeGreaterThan(0);
        expect(heldOut.length).toBeGreaterThan(0);
        expect(Math.abs(heldOut.length - list.length * ratio)).toBeLessThanOrEqual(1);
        expect(names(sortSamples([...kept, ...heldOut]))).toEqual([...list].sort(compareCodePoints));
        expect(holdOut([...samples].reverse(), ratio, seed)).toEqual({ kept, heldOut });
      }),
    );
  });

  it('holds no more than one other image out when one is added', () => {
    fc.assert(
      fc.property(uniqueNames, ratios, fc.integer(), (list, ratio, seed) => {
        const before = new Set(
          names(
            holdOut(
              list.slice(1).map((name) => sample(name)),
              ratio,
              seed,
            ).heldOut,
          ),
        );
        const after = names(
          holdOut(
            list.map((name) => sample(name)),
            ratio,
            seed,
          ).heldOut,
        );
        expect(after.filter((name) => !before.has(name) && name !== list[0]).length).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('differs by seed and refuses ratios that hold out nothing or all', () => {
    const samples = samplesOf(40);
    expect(holdOut(samples, 0.25, 1).heldOut).not.toEqual(holdOut(samples, 0.25, 2).heldOut);
    for (const ratio of [0, 1, -1, Number.NaN]) expect(() => holdOut(samples, ratio, 1)).toThrow('split ratio');
    expect(holdOut(samplesOf(1), 0.5, 1).heldOut).toEqual([]);
  });
});

describe('limitSamples', () => {
  it('takes that many, of every kind in turn', () => {
    const test = [...samplesOf(9, 'crack'), ...samplesOf(2, 'dent'), ...samplesOf(9)];
    expect(names(limitSamples(test, 4))).toEqual(['crack/000.png', 'dent/000.png', 'good/000.png', 'good/001.png']);
    expect(names(limitSamples(samplesOf(9), 2))).toEqual(['good/000.png', 'good/001.png']);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), (limit) => {
        expect(limitSamples(test, limit).length).toBe(Math.min(limit, test.length));
      }),
    );
    for (const limit of [0, -1, 1.5, Number.NaN]) expect(() => limitSamples(test, limit)).toThrow('whole number');
  });
});

describe('splitDataset', () => {
  const train = samplesOf(30);
  const test = [...samplesOf(8, 'crack'), ...samplesOf(4, 'dent'), ...samplesOf(6).map((s) => sample(`t/${s.name}`))];

  it('holds good images out of training where the layout names none', () => {
    const splits = splitDataset(dataset(train, test));
    expect(splits.validation.length).toBe(3);
    expect(sortSamples([...splits.train, ...splits.validation])).toEqual(train);
    expect(splits.test).toEqual(sortSamples(test));
    expect(splits.validationSource).toBe('good images held out of training');
  });

  it("takes the layout's own validation images", () => {
    const splits = splitDataset(dataset(train, test, [sample('v/0.png')]));
    expect([names(splits.validation), splits.train.length]).toEqual([['v/0.png'], 30]);
  });

  it('uses the test images twice when asked, and then trains on all good ones', () => {
    const splits = splitDataset(dataset(train, test, [sample('v/0.png')]), { validation: 'same-as-test', limit: 40 });
    expect(splits.validation).toEqual(splits.test);
    expect(splits.train.length).toBe(31);
  });

  it('takes a part of every test kind', () => {
    const splits = splitDataset(dataset(train, test), { validation: 'from-test' });
    const count = (samples: readonly Sample[], kind: string): number => samples.filter((s) => s.kind === kind).length;
    expect(['crack', 'dent', 'good'].map((kind) => count(splits.validation, kind))).toEqual([4, 2, 3]);
    expect(sortSamples([...splits.test, ...splits.validation])).toEqual(sortSamples(test));
    expect(splits.train).toEqual(train);
  });

  it('limits each split after splitting', () => {
    const splits = splitDataset(dataset(train, test), { limit: 2 });
    expect([splits.train.length, splits.validation.length, splits.test.length]).toEqual([2, 2, 2]);
    expect(splits.test.map(({ label }) => label)).toEqual([1, 0]);
  });

  it('says where there are too few images to hold any out', () => {
    expect(splitDataset(dataset(samplesOf(1))).validationSource).toContain('too few');
  });
});
