import type { Mask, RgbImage } from '../image.js';
import type { Random } from './random.js';
import { disc, line, paintShape, type Color, type Shape } from './raster.js';
import { windowAround, type Patch, type Scene } from './scene.js';

/** The kinds of defect, which are also their folders' names. */
export const defectKinds = ['scratch', 'missing_part', 'blob', 'misplacement'] as const;
/** A kind of defect. */
export type DefectKind = (typeof defectKinds)[number];

/** The least difference in levels by which a pixel counts as changed; what differs less is left as it was. */
const visibleDifference = 5;

/** The pixels of a patch that differ visibly from the image within the extent, as offsets into the image and the patch. */
function changedPixels(image: RgbImage, patch: Patch, extent: number): { at: number; from: number }[] {
  const { window, data } = patch;
  const left = Math.round(patch.x - extent / 2);
  const top = Math.round(patch.y - extent / 2);
  const changed: { at: number; from: number }[] = [];
  for (let y = Math.max(top, window.top); y < Math.min(top + extent, window.top + window.height); y += 1) {
    for (let x = Math.max(left, window.left); x < Math.min(left + extent, window.left + window.width); x += 1) {
      const from = (y - window.top) * window.width + x - window.left;
      const at = y * image.width + x;
      let difference = 0;
      for (let channel = 0; channel < 3; channel += 1) {
        const was = image.data[at * 3 + channel] ?? 0;
        difference = Math.max(difference, Math.abs((data[from * 3 + channel] ?? 0) - was));
      }
      if (difference >= visibleDifference) changed.push({ at, from });
    }
  }
  return changed;
}

/** The scene's window around a point with shapes painted over it. */
function overpaint(scene: Scene, x: number, y: number, extent: number, shapes: readonly Shape[]): Patch {
  const window = windowAround(x, y, extent / 2 + 2, scene);
  const data = scene.render(window);
  for (const shape of shapes) paintShape(data, window, shape);
  return { window, data, x, y };
}

/** Mean brightness of the scene around a point, which tells whether a mark should be light or dark. */
function brightness(scene: Scene, x: number, y: number, extent: number): number {
  const data = scene.render(windowAround(x, y, extent / 2, scene));
  return data.reduce((sum, value) => sum + value, 0) / data.length;
}

/** A curved scratch: a light burr beside a dark groove, thinner towards its ends. */
function scratch(scene: Scene, random: Random, extent: number): Patch {
  const { x, y } = scene.place(random, extent / 2);
  const angle = random.uniform(0, 2 * Math.PI);
  const bend = random.uniform(-0.9, 0.9);
  const length = extent * random.uniform(0.8, 0.96);
  const half = Math.max(0.8, Math.min(extent * 0.035, 1.5 * scene.unit)) * random.uniform(0.9, 1.3);
  const dark = brightness(scene, x, y, extent) > 140;
  const groove: Color = dark ? [58, 44, 36] : [222, 196, 150];
  const burr: Color = dark ? [240, 236, 226] : [34, 30, 26];
  const count = 12;
  const points = Array.from({ length: count + 1 }, (_, i) => {
    const along = (i / count - 0.5) * length;
    const across = bend * ((along * along) / length - length / 8) + random.normal() * half * 0.3;
    return [
      x + Math.cos(angle) * along - Math.sin(angle) * across,
      y + Math.sin(angle) * along + Math.cos(angle) * across,
    ] as const;
  });
  const stretch = (shift: number, width: number, color: Color): Shape[] =>
    points.slice(1).map(([toX, toY], i) => {
      const [fromX, fromY] = points[i] ?? [toX, toY];
      const taper = 0.45 + 0.55 * Math.sin((Math.PI * (i + 0.5)) / count);
      return line(fromX + shift, fromY + shift, toX + shift, toY + shift, width * taper, color);
    });
  return overpaint(scene, x, y, extent, [...stretch(half * 1.1, half * 0.7, burr), ...stretch(0, half, groove)]);
}

/** A splash of solder or a stain of flux: lobes around a middle, the splash with a highlight. */
function blob(scene: Scene, random: Random, extent: number): Patch {
  const { x, y } = scene.place(random, extent / 2);
  const radius = extent * random.uniform(0.24, 0.31);
  const bright = brightness(scene, x, y, extent) > 140;
  const stain = bright || random.chance(0.4);
  const color: Color = stain ? (bright ? [84, 56, 30] : [148, 104, 44]) : [182, 184, 182];
  const rim: Color = stain ? [70, 46, 22] : [84, 86, 88];
  const alpha = stain ? 0.85 : 1;
  const lobes = Array.from({ length: random.integer(4, 7) }, () => {
    const angle = random.uniform(0, 2 * Math.PI);
    const far = radius * random.uniform(0.6, 1);
    return [x + Math.cos(angle) * far, y + Math.sin(angle) * far, radius * random.uniform(0.3, 0.58)] as const;
  });
  const all = [[x, y, radius] as const, ...lobes];
  const edge = Math.max(0.8, radius * 0.1);
  const shapes = [
    ...all.map(([cx, cy, r]) => disc(cx, cy, r, rim, { alpha, soft: 2 })),
    ...all.map(([cx, cy, r]) => disc(cx, cy, r - edge, color, { alpha, soft: 1.5 + edge })),
  ];
  if (!stain) {
    shapes.push(
      disc(x - radius * 0.3, y - radius * 0.3, radius * 0.35, [246, 247, 246], { soft: radius * 0.5, alpha: 0.9 }),
    );
    shapes.push(
      disc(x + radius * 0.25, y + radius * 0.3, radius * 0.4, [112, 114, 116], { soft: radius * 0.6, alpha: 0.6 }),
    );
  }
  return overpaint(scene, x, y, extent, shapes);
}

const missingPart = (scene: Scene, random: Random, extent: number): Patch => scene.withoutPart(random, extent);
const misplacement = (scene: Scene, random: Random, extent: number): Patch => scene.withPartMoved(random, extent);

/**
 * Puts a defect into a rendered scene. The mask marks exactly the pixels that changed; they lie in a square of `extent`
 * pixels a side. Where a draw hardly shows (a scratch on a surface of its own colour), another is made.
 */
export function addDefect(
  scene: Scene,
  image: RgbImage,
  mask: Mask,
  kind: DefectKind,
  extent: number,
  random: Random,
): void {
  const make = { scratch, blob, missing_part: missingPart, misplacement }[kind];
  let patch = make(scene, random, extent);
  let changed = changedPixels(image, patch, extent);
  for (let attempt = 0; attempt < 8 && changed.length < extent; attempt += 1) {
    const other = make(scene, random, extent);
    const otherChanged = changedPixels(image, other, extent);
    if (otherChanged.length <= changed.length) continue;
    patch = other;
    changed = otherChanged;
  }
  for (const { at, from } of changed) {
    for (let channel = 0; channel < 3; channel += 1) image.data[at * 3 + channel] = patch.data[from * 3 + channel] ?? 0;
    mask.data[at] = 255;
  }
}
