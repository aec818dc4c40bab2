import { describe, expect, it } from 'vitest';
import type { Mask, ScoreMap } from '../../src/data/image.js';
import { GalleryCollector, type GalleryEntry } from '../../src/report/gallery.js';
import { heatScaleOf } from '../../src/report/heat-scale.js';
import { createNoise, flatImage, madeUpPrediction, thresholds, type MadeUpImage } from './made-up.js';

const size = { height: 40, width: 60 };

/** A map with one peak; everything else scores 1. */
function peak(score: number, row = 20, column = 30): ScoreMap {
  const data = new Float32Array(size.height * size.width).fill(1);
  data[row * size.width + column] = score;
  return { ...size, data };
}

function madeUp(index: number, label: 0 | 1 | undefined, score: number, mask?: Mask): MadeUpImage {
  const kind = label === 1 ? 'scratch' : 'good';
  return madeUpPrediction(index, `${kind}/${index}.png`, kind, label, flatImage(40, 60), peak(score), mask);
}

function collect(images: readonly MadeUpImage[], limits = {}): GalleryCollector {
  const collector = new GalleryCollector('maximum', limits);
  for (const { prediction, sample, mask } of images) collector.collect(prediction, sample, mask);
  return collector;
}

const scores = (entries: readonly GalleryEntry[]): number[] => entries.map(({ rawScores }) => rawScores.maximum);

describe('GalleryCollector', () => {
  it('keeps the worst of each label in order, and others in groups of their own', () => {
    const noise = createNoise(5);
    const images = Array.from({ length: 200 }, (_, index) =>
      madeUp(index, index % 2 === 0 ? 0 : 1, Math.fround(2 + 8 * noise())),
    );
    const { groups } = collect(images, { worst: 5, typical: 4 }).finish();
    const of = (label: 0 | 1): number[] =>
      images
        .filter(({ sample }) => sample.label === label)
        .map(({ prediction }) => prediction.rawScores.maximum)
        .sort((a, b) => a - b);
    expect(scores(groups['lowest-defective'])).toEqual(of(1).slice(0, 5));
    expect(scores(groups['highest-good'])).toEqual(of(0).slice(-5).reverse());
    const names = Object.values(groups).flatMap((entries) => entries.map(({ name }) => name));
    expect(new Set(names).size).toBe(names.length);
    expect(groups['typical-good'].length).toBeGreaterThan(0);
    expect(groups['typical-good'].every(({ label }) => label === 0)).toBe(true);
    expect(groups['typical-defective'].every(({ label }) => label === 1)).toBe(true);
    expect(groups.unlabelled).toEqual([]);
  });

  it('chooses the same images every time', () => {
    const images = Array.from({ length: 60 }, (_, index) => madeUp(index, index < 30 ? 0 : 1, 3 + (index % 7)));
    const names = (): string[] =>
      Object.values(collect(images).finish().groups)
        .flat()
        .map(({ name }) => name);
    expect(names()).toEqual(names());
  });

  it('stays bounded however many images come, and keeps the scores of all', () => {
    const images = Array.from({ length: 500 }, (_, index) => madeUp(index, index % 2 === 0 ? 0 : 1, 2 + index / 100));
    const { groups, images: all } = collect(images, { worst: 3, typical: 2, side: 20, closeUp: 16 }).finish();
    expect(all).toHaveLength(500);
    const entries = Object.values(groups).flat();
    expect(entries.length).toBeLessThanOrEqual(10);
    for (const { original, map, closeUp } of entries) {
      expect(original).toMatchObject({ height: 13, width: 20 });
      expect(map).toMatchObject({ height: 13, width: 20 });
      expect(closeUp.image).toMatchObject({ height: 16, width: 16 });
    }
  });

  it('shows unlabelled images by falling score', () => {
    const images = [4, 9, 7].map((score, index) => madeUp(index, undefined, score));
    expect(scores(collect(images).finish().groups.unlabelled)).toEqual([9, 7, 4]);
  });

  it('copies what it keeps', () => {
    const { prediction, sample } = madeUp(0, 0, 8);
    const collector = new GalleryCollector('maximum');
    collector.collect(prediction, sample);
    prediction.image.data.fill(0);
    prediction.map.data.fill(0);
    const [entry] = collector.finish().groups['highest-good'];
    expect(entry?.original.data[0]).toBe(120);
    expect(entry?.map.data[0]).toBe(1);
  });

  it('puts the close-up around the truth, else around the highest box, inside the image', () => {
    const mask: Mask = { ...size, data: new Uint8Array(size.height * size.width) };
    mask.data[1 * size.width + 2] = 255;
    const inside = (entry: GalleryEntry | undefined, row: number, column: number): void => {
      const { top, left, height, width } = entry?.closeUp.region ?? { top: -1, left: -1, height: 0, width: 0 };
      expect(top).toBeGreaterThanOrEqual(0);
      expect(left).toBeGreaterThanOrEqual(0);
      expect(top + height).toBeLessThanOrEqual(size.height);
      expect(left + width).toBeLessThanOrEqual(size.width);
      expect(row >= top && row < top + height && column >= left && column < left + width).toBe(true);
    };
    const { groups } = collect([madeUp(0, 1, 9, mask), madeUp(1, 0, 9), madeUp(2, undefined, 2)], {
      closeUp: 12,
    }).finish();
    inside(groups['lowest-defective'][0], 1, 2);
    inside(groups['highest-good'][0], 20, 30);
    inside(groups.unlabelled[0], 20, 30);
  });

  it('outlines the truth only where it is known', () => {
    const mask: Mask = { ...size, data: new Uint8Array(size.height * size.width).fill(255) };
    const { groups } = collect([madeUp(0, 1, 9, mask), madeUp(1, 1, 9)]).finish();
    const [known, unknown] = groups['lowest-defective'];
    expect(known?.truth).toBe('M0,0H60V40H0V0Z');
    expect(known?.predicted).toBe('M30,20H31V21H30V20Z');
    expect(unknown?.truth).toBeUndefined();
  });
});

describe('heatScaleOf', () => {
  it('puts the threshold in the middle and the lowest score at the end', () => {
    expect(heatScaleOf('none', { minimum: 1, maximum: 4 }, thresholds.pixel)).toEqual({ low: 1, high: 9 });
    expect(heatScaleOf('image', { minimum: 1, maximum: 4 }, thresholds.pixel)).toEqual({ low: 0, high: 1 });
  });

  it('keeps a width when the threshold lies below all scores or all scores are the same', () => {
    const below = heatScaleOf('none', { minimum: 5, maximum: 9 }, 2);
    expect(below).toEqual({ low: 1, high: 3 });
    const same = heatScaleOf('tile', { minimum: 2, maximum: 2 }, 2);
    expect(same.high).toBeGreaterThan(same.low);
  });
});
