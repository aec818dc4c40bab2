import type { ImageSize, Mask, RgbImage, ScoreMap } from '../data/image.js';

/** A rectangle of whole pixels. */
export interface Region extends ImageSize {
  readonly top: number;
  readonly left: number;
}

/** Size of an image whose longer side is at most `side`, with the same proportions. Never larger than the image. */
export function boundedSize({ height, width }: ImageSize, side: number): ImageSize {
  const scale = Math.min(1, side / Math.max(height, width));
  return { height: Math.max(1, Math.round(height * scale)), width: Math.max(1, Math.round(width * scale)) };
}

/** Shrinks (a region of) an image by the mean over each target pixel's box. */
export function shrinkImage(image: RgbImage, size: ImageSize, region: Region = whole(image)): RgbImage {
  const data = new Uint8Array(size.height * size.width * 3);
  eachBox(size, region, (target, top, bottom, left, right) => {
    let red = 0;
    let green = 0;
    let blue = 0;
    for (let y = top; y < bottom; y++) {
      for (let at = (y * image.width + left) * 3; at < (y * image.width + right) * 3; at += 3) {
        red += image.data[at] ?? 0;
        green += image.data[at + 1] ?? 0;
        blue += image.data[at + 2] ?? 0;
      }
    }
    const count = (bottom - top) * (right - left);
    data[target * 3] = Math.round(red / count);
    data[target * 3 + 1] = Math.round(green / count);
    data[target * 3 + 2] = Math.round(blue / count);
  });
  return { ...size, data };
}

/** Shrinks a map by the largest score in each target pixel's box: a small hot spot stays visible. */
export function shrinkMap(map: ScoreMap, size: ImageSize, region: Region = whole(map)): ScoreMap {
  return {
    ...size,
    data: largestInBoxes(map.data, map.width, size, region, new Float32Array(size.height * size.width)),
  };
}

/** Shrinks a mask: a target pixel is set when any pixel in its box is. */
export function shrinkMask(mask: Mask, size: ImageSize, region: Region = whole(mask)): Mask {
  return {
    ...size,
    data: largestInBoxes(mask.data, mask.width, size, region, new Uint8Array(size.height * size.width)),
  };
}

function largestInBoxes<T extends Uint8Array | Float32Array>(
  source: T,
  sourceWidth: number,
  size: ImageSize,
  region: Region,
  data: T,
): T {
  eachBox(size, region, (target, top, bottom, left, right) => {
    let largest = -Infinity;
    for (let y = top; y < bottom; y++) {
      for (let at = y * sourceWidth + left; at < y * sourceWidth + right; at++) {
        largest = Math.max(largest, source[at] ?? 0);
      }
    }
    data[target] = largest;
  });
  return data;
}

/** Visits each target pixel with the box of source pixels that it stands for, at least one pixel large. */
function eachBox(
  size: ImageSize,
  region: Region,
  visit: (target: number, top: number, bottom: number, left: number, right: number) => void,
): void {
  const rows = edges(region.top, region.height, size.height);
  const columns = edges(region.left, region.width, size.width);
  for (let y = 0; y < size.height; y++) {
    const [top = 0, bottom = 0] = rows[y] ?? [];
    for (let x = 0; x < size.width; x++) {
      const [left = 0, right = 0] = columns[x] ?? [];
      visit(y * size.width + x, top, bottom, left, right);
    }
  }
}

function edges(start: number, length: number, parts: number): (readonly [number, number])[] {
  return Array.from({ length: parts }, (_, part) => {
    const first = start + Math.floor((part * length) / parts);
    return [first, Math.max(first + 1, start + Math.floor(((part + 1) * length) / parts))] as const;
  });
}

function whole({ height, width }: ImageSize): Region {
  return { top: 0, left: 0, height, width };
}
