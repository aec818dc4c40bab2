import { designBoard, type PlacedPart } from './board-layout.js';
import { createRandom, type Random } from './random.js';
import {
  box,
  createPose,
  paintShape,
  poseAbout,
  posePoint,
  poseShape,
  type Color,
  type Pose,
  type Shape,
  type Window,
} from './raster.js';
import { windowAround, type Patch, type Scene } from './scene.js';

const fixture: Color = [52, 54, 59];

/** A part of one image: placed within the machine's tolerance, with its shade. */
interface Part {
  readonly shapes: readonly Shape[];
  readonly shadow: Shape;
  readonly placed: PlacedPart;
  readonly shade: number;
}

/** The shapes of a part at a place, and the shadow that it throws to the lower right. */
function placedPart(placed: PlacedPart, unit: number, pose: Pose, shade: number): Part {
  const { design } = placed;
  const own = createPose(placed.x, placed.y, placed.angle);
  const [x, y] = posePoint(own.dx, own.dy, pose);
  const whole = createPose(x, y, own.angle + pose.angle);
  const shapes = design.body.map((shape): Shape => {
    const [red, green, blue] = shape.color;
    const color: Color = [Math.min(255, red * shade), Math.min(255, green * shade), Math.min(255, blue * shade)];
    return poseShape(shape, whole, color);
  });
  const reach = design.height * unit;
  const [first] = design.body;
  const halfWidth = Math.max(first?.halfWidth ?? 0, design.halfWidth - 6 * unit);
  const halfHeight = Math.max(first?.halfHeight ?? 0, design.halfHeight - 6 * unit);
  const shadow = box(0, 0, halfWidth, halfHeight, [6, 8, 8], {
    radius: first?.radius ?? 0,
    soft: 1.5 + reach * 1.4,
    alpha: 0.5,
  });
  const under = createPose(x + reach * 0.5, y + reach * 0.7, whole.angle);
  return { shapes, shadow: poseShape(shadow, under), placed, shade };
}

/**
 * Adds the weave of the glass under the lacquer (about 2 levels) and slow clouds (about 3 levels), fixed to the board.
 * Sums of angles are taken apart so that sines are needed once a row and once a column.
 */
function addGrain(target: Uint8Array, window: Window, unit: number, pose: { dx: number; dy: number }): void {
  const waves = (start: number, count: number, period: number): { sin: Float64Array; cos: Float64Array } => ({
    sin: Float64Array.from({ length: count }, (_, i) => Math.sin((start + i) / (period * unit))),
    cos: Float64Array.from({ length: count }, (_, i) => Math.cos((start + i) / (period * unit))),
  });
  const startX = window.left - pose.dx;
  const startY = window.top - pose.dy;
  const weaveX = waves(startX, window.width, 0.53).sin;
  const weaveY = waves(startY, window.height, 0.53).sin;
  const broad = waves(startX, window.width, 37);
  const long = waves(startX, window.width, 97);
  for (let row = 0, at = 0; row < window.height; row += 1) {
    const y = (startY + row) / unit;
    const phase = 1.3 * Math.sin(y / 53);
    const [broadSin, broadCos] = [Math.sin(phase) * 1.4, Math.cos(phase) * 1.4];
    const [longSin, longCos] = [Math.sin(y / 41) * 1.4, Math.cos(y / 41) * 1.4];
    const weave = (weaveY[row] ?? 0) * 1.6;
    for (let column = 0; column < window.width; column += 1, at += 3) {
      const value =
        weave * (weaveX[column] ?? 0) +
        (broad.sin[column] ?? 0) * broadCos +
        (broad.cos[column] ?? 0) * broadSin +
        (long.sin[column] ?? 0) * longCos +
        (long.cos[column] ?? 0) * longSin;
      // Everything painted so far lies between 8 and 240, so no byte overflows.
      target[at] = (target[at] ?? 0) + value * 0.6 + 0.5;
      target[at + 1] = (target[at + 1] ?? 0) + value + 0.5;
      target[at + 2] = (target[at + 2] ?? 0) + value * 0.6 + 0.5;
    }
  }
}

function touches(shape: Shape, window: Window): boolean {
  const reach = shape.halfWidth + shape.halfHeight + shape.soft;
  return (
    shape.x + reach > window.left &&
    shape.x - reach < window.left + window.width &&
    shape.y + reach > window.top &&
    shape.y - reach < window.top + window.height
  );
}

/**
 * A printed board in a fixture. The design depends on `seed` and the size alone; `index` chooses the image's pose (moved
 * by up to `jitter` pixels, turned by so much that no corner moves further), its placement tolerances and shades.
 */
export function boardScene(
  seed: number,
  index: number,
  size: { height: number; width: number },
  jitter: number,
): Scene {
  const { height, width } = size;
  const layout = designBoard(seed, size);
  const { unit, edges, lacquer } = layout;
  const random = createRandom(seed, index, 2);
  const turn = jitter / Math.hypot(height, width);
  const pose = poseAbout(
    width / 2,
    height / 2,
    random.uniform(-turn, turn),
    random.uniform(-jitter, jitter),
    random.uniform(-jitter, jitter),
  );
  const [left, top, right, bottom] = edges;
  const plate = poseShape(
    box((left + right) / 2, (top + bottom) / 2, (right - left) / 2, (bottom - top) / 2, lacquer.base, {
      radius: 3 * unit,
    }),
    pose,
  );
  const ground = layout.ground.map((shape) => poseShape(shape, pose));
  const tolerance = 0.25 * unit;
  const parts = layout.parts.map((part) => {
    const x = part.x + random.normal() * tolerance;
    const y = part.y + random.normal() * tolerance;
    const angle = part.angle + random.normal() * 0.006;
    return placedPart({ ...part, x, y, angle }, unit, pose, 1 + random.normal() * 0.02);
  });

  const paintPlate = (target: Uint8Array, window: Window): void => {
    for (let at = 0; at < target.length; at += 3) {
      target[at] = fixture[0];
      target[at + 1] = fixture[1];
      target[at + 2] = fixture[2];
    }
    paintShape(target, window, {
      ...plate,
      x: plate.x + 2 * unit,
      y: plate.y + 2.5 * unit,
      color: [14, 15, 17],
      soft: 5 * unit,
      alpha: 0.7,
    });
    paintShape(target, window, plate);
  };
  const renderWith = (window: Window, shown: readonly Part[]): Uint8Array => {
    const target = new Uint8Array(window.width * window.height * 3);
    paintPlate(target, window);
    for (const shape of ground) if (touches(shape, window)) paintShape(target, window, shape);
    addGrain(target, window, unit, pose);
    for (const part of shown) {
      if (part.placed.design.height > 0 && touches(part.shadow, window)) paintShape(target, window, part.shadow);
      for (const shape of part.shapes) if (touches(shape, window)) paintShape(target, window, shape);
    }
    return target;
  };

  /** The longest side of a part in pixels, as it is seen. */
  const extentOf = (part: Part): number => 2 * Math.max(part.placed.design.halfWidth, part.placed.design.halfHeight);
  /** A part that fits in the extent, the larger the likelier; where none fits, the smallest. */
  const choose = (source: Random, extent: number): Part | undefined => {
    const fitting = parts.filter((part) => extentOf(part) <= extent).sort((a, b) => extentOf(a) - extentOf(b));
    if (fitting.length === 0) return [...parts].sort((a, b) => extentOf(a) - extentOf(b))[0];
    return fitting[Math.floor(fitting.length * Math.sqrt(source.uniform(0, 1)))];
  };
  const patchOf = (part: Part | undefined, replacement: readonly Part[]): Patch => {
    const [x, y] = part === undefined ? [width / 2, height / 2] : posePoint(part.placed.x, part.placed.y, pose);
    const half = (part === undefined ? 1 : extentOf(part)) * 1.5 + 16 * unit;
    const window = windowAround(x, y, half, size);
    const shown = parts.flatMap((other) => (other === part ? [...replacement] : [other]));
    return { window, data: renderWith(window, shown), x, y };
  };

  return {
    height,
    width,
    unit,
    render: (window) => renderWith(window, parts),
    place: (source, margin) => {
      const inset = Math.min(margin + 3 * unit, (right - left) / 2, (bottom - top) / 2);
      return { x: source.uniform(left + inset, right - inset), y: source.uniform(top + inset, bottom - inset) };
    },
    withoutPart: (source, extent) => patchOf(choose(source, extent), []),
    withPartMoved: (source, extent) => {
      const part = choose(source, extent * 0.72);
      if (part === undefined) return patchOf(part, []);
      const { placed, shade } = part;
      const direction = source.uniform(0, 2 * Math.PI);
      const shift = source.uniform(0.3, 0.5) * 2 * placed.design.halfHeight;
      const moved = {
        ...placed,
        x: placed.x + Math.cos(direction) * shift,
        y: placed.y + Math.sin(direction) * shift,
        angle: placed.angle + source.uniform(0.4, 0.85) * (source.chance(0.5) ? 1 : -1),
      };
      return patchOf(part, [placedPart(moved, unit, pose, shade)]);
    },
  };
}
