import type { Mask } from '../data/image.js';
import { boundedSize, shrinkMask } from './downscale.js';

/**
 * The outlines of a mask's regions as SVG path data, one closed path an outline (holes included), along the edges of the
 * pixels, with the mask's width × height as coordinates. Ragged masks are traced more coarsely until the path has at most
 * `longest` characters. Empty for an empty mask.
 */
export function outlinePath(mask: Mask, longest = 24_000): string {
  let traced = mask;
  for (;;) {
    const path = tracePath(traced, mask.width / traced.width, mask.height / traced.height);
    if (path.length <= longest || Math.max(traced.width, traced.height) <= 16) return path;
    traced = shrinkMask(mask, boundedSize(mask, Math.ceil(Math.max(traced.width, traced.height) / 2)));
  }
}

/** Directions along pixel edges: right, down, left, up. The region lies on the right-hand side of the way. */
const steps = [
  [1, 0],
  [0, 1],
  [-1, 0],
  [0, -1],
] as const;

function tracePath(mask: Mask, scaleX: number, scaleY: number): string {
  const { height, width, data } = mask;
  const inside = (x: number, y: number): boolean =>
    x >= 0 && y >= 0 && x < width && y < height && (data[y * width + x] ?? 0) > 0;
  /** True when the edge that leaves a corner in a direction has the region on its right and none on its left. */
  const isEdge = (x: number, y: number, direction: number): boolean => {
    if (direction === 0) return inside(x, y) && !inside(x, y - 1);
    if (direction === 1) return inside(x - 1, y) && !inside(x, y);
    if (direction === 2) return inside(x - 1, y - 1) && !inside(x - 1, y);
    return inside(x, y - 1) && !inside(x - 1, y - 1);
  };
  // Each outline has a topmost edge, which runs to the right (a hole's lowest edge does too), so those are enough to start from.
  const seen = new Uint8Array(height * width);
  const parts: string[] = [];
  for (let startY = 0; startY < height; startY++) {
    for (let startX = 0; startX < width; startX++) {
      if (seen[startY * width + startX] === 1 || !isEdge(startX, startY, 0)) continue;
      let x = startX;
      let y = startY;
      let direction = 0;
      parts.push(`M${short(x * scaleX)},${short(y * scaleY)}`);
      do {
        if (direction === 0) seen[y * width + x] = 1;
        const [dx, dy] = steps[direction] ?? steps[0];
        x += dx;
        y += dy;
        // Turning left first joins pixels that touch at a corner, as 8-connectivity does.
        const next =
          [3, 0, 1].map((turn) => (direction + turn) % 4).find((turned) => isEdge(x, y, turned)) ?? direction;
        if (next !== direction) parts.push(next % 2 === 1 ? `H${short(x * scaleX)}` : `V${short(y * scaleY)}`);
        direction = next;
      } while (x !== startX || y !== startY || direction !== 0);
      parts.push('Z');
    }
  }
  return parts.join('');
}

function short(value: number): string {
  return String(Math.round(value * 10) / 10);
}
