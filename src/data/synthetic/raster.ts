/** Red, green and blue, 0 to 255. */
export type Color = readonly [number, number, number];

/**
 * The one primitive of the drawings: a rectangle with rounded corners, turned by `angle` (radians, clockwise on screen).
 * With the radius at half the height it is a disc or a thick line with round ends; with a stroke it is an outline.
 */
export interface Shape {
  readonly x: number;
  readonly y: number;
  readonly halfWidth: number;
  readonly halfHeight: number;
  readonly angle: number;
  readonly radius: number;
  /** Thickness of the outline, inwards; 0 fills the shape. */
  readonly stroke: number;
  /** Width in pixels of the soft edge, 1 for plain anti-aliasing. */
  readonly soft: number;
  readonly color: Color;
  readonly alpha: number;
}

/** A rectangle of pixels of an image. */
export interface Window {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Softness of an edge in pixels: that of a lens that is in focus. */
const opticalEdge = 1.4;

type Extra = Partial<Pick<Shape, 'angle' | 'radius' | 'stroke' | 'soft' | 'alpha'>>;

/** A rectangle by its centre and half sides. */
export function box(
  x: number,
  y: number,
  halfWidth: number,
  halfHeight: number,
  color: Color,
  extra: Extra = {},
): Shape {
  return {
    x,
    y,
    halfWidth,
    halfHeight,
    angle: 0,
    radius: 0,
    stroke: 0,
    soft: opticalEdge,
    alpha: 1,
    color,
    ...extra,
  };
}

/** A disc; with `stroke` in `extra` a ring. */
export function disc(x: number, y: number, radius: number, color: Color, extra: Extra = {}): Shape {
  return box(x, y, radius, radius, color, { radius, ...extra });
}

/** A line with round ends. */
export function line(
  x0: number,
  y0: number,
  x1: number,
  y1: number,
  halfWidth: number,
  color: Color,
  extra: Extra = {},
): Shape {
  const length = Math.sqrt((x1 - x0) ** 2 + (y1 - y0) ** 2);
  return box((x0 + x1) / 2, (y0 + y1) / 2, length / 2 + halfWidth, halfWidth, color, {
    angle: Math.atan2(y1 - y0, x1 - x0),
    radius: halfWidth,
    ...extra,
  });
}

/** A turn about the origin and then a move: from a part's frame to the board's, or from the board's to the image's. */
export interface Pose {
  readonly cos: number;
  readonly sin: number;
  readonly angle: number;
  readonly dx: number;
  readonly dy: number;
}

/** The pose that turns by `angle` and puts the origin at (dx, dy). */
export function createPose(dx: number, dy: number, angle: number): Pose {
  return { cos: Math.cos(angle), sin: Math.sin(angle), angle, dx, dy };
}

/** The pose that turns by `angle` about (x, y) and then moves by (dx, dy). */
export function poseAbout(x: number, y: number, angle: number, dx: number, dy: number): Pose {
  const { cos, sin } = createPose(0, 0, angle);
  return createPose(x + dx - (cos * x - sin * y), y + dy - (sin * x + cos * y), angle);
}

/** Where a pose takes a point. */
export function posePoint(x: number, y: number, { cos, sin, dx, dy }: Pose): readonly [number, number] {
  return [dx + cos * x - sin * y, dy + sin * x + cos * y];
}

/** The shape as a pose shows it, perhaps in another colour. */
export function poseShape(shape: Shape, { cos, sin, angle, dx, dy }: Pose, color: Color = shape.color): Shape {
  return {
    x: dx + cos * shape.x - sin * shape.y,
    y: dy + sin * shape.x + cos * shape.y,
    halfWidth: shape.halfWidth,
    halfHeight: shape.halfHeight,
    angle: shape.angle + angle,
    radius: shape.radius,
    stroke: shape.stroke,
    soft: shape.soft,
    color,
    alpha: shape.alpha,
  };
}

/**
 * Paints a shape over an RGB window (three bytes a pixel, row-major). The value of a pixel depends on the shapes alone,
 * never on the window, so that a window painted by itself equals that part of the whole image.
 */
export function paintShape(target: Uint8Array, window: Window, shape: Shape): void {
  const { halfWidth, halfHeight, radius, stroke, soft, alpha, color } = shape;
  const cos = Math.cos(shape.angle);
  const sin = Math.sin(shape.angle);
  const margin = soft / 2;
  const reachX = halfWidth + margin;
  const reachY = halfHeight + margin;
  const extentY = Math.abs(sin) * reachX + Math.abs(cos) * reachY;
  const extentX = Math.abs(cos) * reachX + Math.abs(sin) * reachY;
  const centerX = shape.x - window.left;
  const centerY = shape.y - window.top;
  const firstRow = Math.max(0, Math.floor(centerY - extentY));
  const lastRow = Math.min(window.height - 1, Math.ceil(centerY + extentY));
  if (centerX + extentX < 0 || centerX - extentX > window.width) return;
  const innerX = halfWidth - radius;
  const innerY = halfHeight - radius;
  const [red, green, blue] = color;
  for (let row = firstRow; row <= lastRow; row += 1) {
    const dy = row + 0.5 - centerY;
    // The pixels of this row inside the turned bounding rectangle: two pairs of bounds, each linear in x.
    let low = -extentX;
    let high = extentX;
    if (Math.abs(cos) > 1e-6) {
      const a = (-reachX - dy * sin) / cos;
      const b = (reachX - dy * sin) / cos;
      low = Math.max(low, Math.min(a, b));
      high = Math.min(high, Math.max(a, b));
    }
    if (Math.abs(sin) > 1e-6) {
      const a = (dy * cos - reachY) / sin;
      const b = (dy * cos + reachY) / sin;
      low = Math.max(low, Math.min(a, b));
      high = Math.min(high, Math.max(a, b));
    }
    const first = Math.max(0, Math.floor(centerX + low - 0.5));
    const last = Math.min(window.width - 1, Math.ceil(centerX + high - 0.5));
    let at = (row * window.width + first) * 3;
    for (let column = first; column <= last; column += 1, at += 3) {
      const dx = column + 0.5 - centerX;
      const qx = Math.abs(dx * cos + dy * sin) - innerX;
      const qy = Math.abs(dy * cos - dx * sin) - innerY;
      let distance = qx > 0 && qy > 0 ? Math.sqrt(qx * qx + qy * qy) : qx > qy ? qx : qy;
      distance -= radius;
      if (stroke > 0) distance = Math.abs(distance + stroke / 2) - stroke / 2;
      let share = 0.5 - distance / soft;
      if (share <= 0) continue;
      share = (share > 1 ? 1 : share) * alpha;
      if (share === 1) {
        target[at] = red + 0.5;
        target[at + 1] = green + 0.5;
        target[at + 2] = blue + 0.5;
        continue;
      }
      const r = target[at] ?? 0;
      const g = target[at + 1] ?? 0;
      const b = target[at + 2] ?? 0;
      target[at] = r + (red - r) * share + 0.5;
      target[at + 1] = g + (green - g) * share + 0.5;
      target[at + 2] = b + (blue - b) * share + 0.5;
    }
  }
}
