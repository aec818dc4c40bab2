import { color } from 'd3-color';
import { interpolateTurbo } from 'd3-scale-chromatic';
import type { Mask, RgbImage, ScoreMap } from '../data/image.js';

/** Scores that the ends of the colour scale stand for. One scale serves a whole run, so that good parts stay cool. */
export interface HeatScale {
  readonly low: number;
  readonly high: number;
}

/** 256 colours of the scale, three bytes each. */
const palette = Uint8Array.from({ length: 256 * 3 }, (_, index) => {
  const rgb = color(interpolateTurbo(Math.floor(index / 3) / 255))?.rgb();
  return rgb ? ([rgb.r, rgb.g, rgb.b][index % 3] ?? 0) : 0;
});

/** The colour of a score as three bytes. */
export function heatColor(value: number, { low, high }: HeatScale): [number, number, number] {
  const at = paletteIndex(value, low, high) * 3;
  return [palette[at] ?? 0, palette[at + 1] ?? 0, palette[at + 2] ?? 0];
}

function paletteIndex(value: number, low: number, high: number): number {
  const share = high > low ? (value - low) / (high - low) : value >= high ? 1 : 0;
  return Math.round(Math.min(1, Math.max(0, share)) * 255);
}

/**
 * Lays a score map as colours over an image, which may be larger: the map is interpolated bilinearly. Low scores let the
 * image show through, high ones cover it up to `opacity`.
 */
export function heatOverlay(image: RgbImage, map: ScoreMap, scale: HeatScale, opacity = 0.6): RgbImage {
  const { height, width } = image;
  const data = new Uint8Array(image.data.length);
  const columns = axisSamples(width, map.width);
  const rows = axisSamples(height, map.height);
  for (let y = 0; y < height; y++) {
    const top = (rows.low[y] ?? 0) * map.width;
    const bottom = (rows.high[y] ?? 0) * map.width;
    const v = rows.share[y] ?? 0;
    for (let x = 0; x < width; x++) {
      const left = columns.low[x] ?? 0;
      const right = columns.high[x] ?? 0;
      const u = columns.share[x] ?? 0;
      const upper = (map.data[top + left] ?? 0) * (1 - u) + (map.data[top + right] ?? 0) * u;
      const lower = (map.data[bottom + left] ?? 0) * (1 - u) + (map.data[bottom + right] ?? 0) * u;
      const index = paletteIndex(upper * (1 - v) + lower * v, scale.low, scale.high);
      const cover = opacity * Math.min(1, 0.35 + (index / 255) * 0.65);
      const at = (y * width + x) * 3;
      for (let channel = 0; channel < 3; channel++) {
        const under = image.data[at + channel] ?? 0;
        data[at + channel] = Math.round(under * (1 - cover) + (palette[index * 3 + channel] ?? 0) * cover);
      }
    }
  }
  return { height, width, data };
}

/** Draws the outline of a mask's regions into a copy of an image of the same size, `thickness` pixels wide. */
export function outlineMask(
  image: RgbImage,
  mask: Mask,
  rgb: readonly [number, number, number] = [255, 255, 255],
  thickness = 1,
): RgbImage {
  const { height, width } = image;
  const data = image.data.slice();
  const inside = (y: number, x: number): boolean =>
    y >= 0 && y < height && x >= 0 && x < width && (mask.data[y * width + x] ?? 0) > 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!inside(y, x)) continue;
      const edge =
        !inside(y - thickness, x) ||
        !inside(y + thickness, x) ||
        !inside(y, x - thickness) ||
        !inside(y, x + thickness);
      if (edge) data.set(rgb, (y * width + x) * 3);
    }
  }
  return { height, width, data };
}

/** For each pixel of an axis, its two neighbours on the map's axis and the share of the second (half-pixel centres). */
function axisSamples(length: number, source: number): { low: Uint32Array; high: Uint32Array; share: Float32Array } {
  const low = new Uint32Array(length);
  const high = new Uint32Array(length);
  const share = new Float32Array(length);
  for (let i = 0; i < length; i++) {
    const at = Math.min(source - 1, Math.max(0, ((i + 0.5) * source) / length - 0.5));
    low[i] = Math.floor(at);
    high[i] = Math.min(source - 1, Math.floor(at) + 1);
    share[i] = at - Math.floor(at);
  }
  return { low, high, share };
}
