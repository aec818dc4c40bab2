import type { Random } from './random.js';
import type { Window } from './raster.js';

/** A window of an altered scene: RGB pixels, three bytes each, and where the alteration is centred. */
export interface Patch {
  readonly window: Window;
  readonly data: Uint8Array;
  readonly x: number;
  readonly y: number;
}

/** What is photographed, before light and camera. Rendering a window gives exactly that part of the whole. */
export interface Scene {
  readonly height: number;
  readonly width: number;
  /** Side of a small structure in pixels: the scale of the drawing. */
  readonly unit: number;
  /** The pixels of a window, RGB. */
  render(window: Window): Uint8Array;
  /** A point on the object where a defect can lie, at least `margin` pixels from its edge where there is room. */
  place(random: Random, margin: number): { x: number; y: number };
  /** The scene without one of its parts, of at most about `extent` pixels. */
  withoutPart(random: Random, extent: number): Patch;
  /** The scene with one of its parts out of place. */
  withPartMoved(random: Random, extent: number): Patch;
}

/** The window of a square around a point, cut at the borders of the scene. */
export function windowAround(x: number, y: number, half: number, scene: { height: number; width: number }): Window {
  const left = Math.max(0, Math.floor(x - half));
  const top = Math.max(0, Math.floor(y - half));
  return {
    left,
    top,
    width: Math.max(1, Math.min(scene.width, Math.ceil(x + half)) - left),
    height: Math.max(1, Math.min(scene.height, Math.ceil(y + half)) - top),
  };
}

/** Scale of the drawing: small structures grow with the square root of the image's shorter side, 1 pixel a unit at 512. */
export function unitOf(size: { height: number; width: number }): number {
  return Math.sqrt(Math.min(size.height, size.width) / 512);
}
