import { describe, expect, it } from 'vitest';
import { heatColor, heatOverlay, outlineMask } from '../../src/report/heat-map.js';
import type { Mask, RgbImage } from '../../src/data/image.js';

const scale = { low: 2, high: 4 };

function grey(height: number, width: number, value: number): RgbImage {
  return { height, width, data: new Uint8Array(height * width * 3).fill(value) };
}

function pixel(image: RgbImage, y: number, x: number): number[] {
  return [...image.data.subarray((y * image.width + x) * 3, (y * image.width + x) * 3 + 3)];
}

describe('heatColor', () => {
  it('clips scores outside the scale to its ends', () => {
    expect(heatColor(-100, scale)).toEqual(heatColor(2, scale));
    expect(heatColor(100, scale)).toEqual(heatColor(4, scale));
    expect(heatColor(2, scale)).not.toEqual(heatColor(4, scale));
  });

  it('is blue below, green in the middle and red above', () => {
    const [lowRed, , lowBlue] = heatColor(2.2, scale);
    const [middleRed, middleGreen, middleBlue] = heatColor(3, scale);
    const [highRed, highGreen, highBlue] = heatColor(3.9, scale);
    expect(lowBlue).toBeGreaterThan(lowRed);
    expect(middleGreen).toBeGreaterThan(Math.max(middleRed, middleBlue));
    expect(highRed).toBeGreaterThan(Math.max(highGreen, highBlue));
  });

  it('splits at the value when the scale has no width', () => {
    const flat = { low: 3, high: 3 };
    expect(heatColor(2.99, flat)).toEqual(heatColor(2, scale));
    expect(heatColor(3, flat)).toEqual(heatColor(4, scale));
  });
});

describe('heatOverlay', () => {
  it('shows through where scores are low and covers where they are high', () => {
    const image = grey(4, 4, 100);
    const map = { height: 4, width: 4, data: new Float32Array(16).fill(2) };
    map.data[5] = 4;
    const overlay = heatOverlay(image, map, scale, 1);
    expect(pixel(overlay, 1, 1)).toEqual(heatColor(4, scale));
    const cool = pixel(overlay, 3, 3);
    const distance = Math.hypot(...cool.map((value) => value - 100));
    expect(distance).toBeLessThan(Math.hypot(...heatColor(2, scale).map((value) => value - 100)) / 2);
    expect(image.data.every((value) => value === 100)).toBe(true);
  });

  it('interpolates a smaller map with half-pixel centres', () => {
    const map = { height: 1, width: 2, data: new Float32Array([2, 4]) };
    const overlay = heatOverlay(grey(2, 8, 0), map, scale, 1);
    // Columns 0 and 1 lie before the first centre, 6 and 7 behind the second.
    expect(pixel(overlay, 0, 0)).toEqual(pixel(overlay, 1, 1));
    expect(pixel(overlay, 0, 7)).toEqual(heatColor(4, scale));
    const middle = heatColor(2 + 2 * 0.375, scale).map((value) => Math.round(value * (0.35 + 0.65 * 0.375)));
    pixel(overlay, 0, 3).forEach((value, channel) => {
      expect(Math.abs(value - (middle[channel] ?? 0))).toBeLessThanOrEqual(2);
    });
  });
});

describe('outlineMask', () => {
  const mask: Mask = { height: 6, width: 6, data: new Uint8Array(36) };
  for (let y = 1; y < 5; y++) for (let x = 1; x < 5; x++) mask.data[y * 6 + x] = 255;

  it('paints the rim of a region and leaves its inside alone', () => {
    const image = grey(6, 6, 7);
    const outlined = outlineMask(image, mask, [1, 2, 3]);
    expect(pixel(outlined, 1, 1)).toEqual([1, 2, 3]);
    expect(pixel(outlined, 4, 2)).toEqual([1, 2, 3]);
    expect(pixel(outlined, 2, 2)).toEqual([7, 7, 7]);
    expect(pixel(outlined, 0, 0)).toEqual([7, 7, 7]);
    expect(image.data.every((value) => value === 7)).toBe(true);
  });

  it('closes regions that touch the edge of the image', () => {
    const full: Mask = { height: 3, width: 3, data: new Uint8Array(9).fill(255) };
    const outlined = outlineMask(grey(3, 3, 7), full);
    expect(pixel(outlined, 0, 1)).toEqual([255, 255, 255]);
    expect(pixel(outlined, 1, 1)).toEqual([7, 7, 7]);
  });
});
