import { textShapes } from './lettering.js';
import { largeParts, pickPart, smallParts, type PartDesign, type PartKind } from './parts.js';
import { createRandom, type Random } from './random.js';
import { box, createPose, disc, line, posePoint, poseShape, type Color, type Shape } from './raster.js';
import { unitOf } from './scene.js';

/** A part on the board: where its origin lies and how it is turned. */
export interface PlacedPart {
  readonly x: number;
  readonly y: number;
  readonly angle: number;
  readonly design: PartDesign;
}

/** The colours of a board's lacquer, of traces and of copper areas under it. */
interface Lacquer {
  readonly base: Color;
  readonly area: Color;
  readonly trace: Color;
}

/** A board as designed: the same for every image of a data set. */
export interface BoardLayout {
  readonly unit: number;
  /** Left, top, right and bottom edge of the board in pixels. */
  readonly edges: readonly [number, number, number, number];
  readonly lacquer: Lacquer;
  /** Board, copper and legend, from the bottom up. */
  readonly ground: readonly Shape[];
  readonly parts: readonly PlacedPart[];
}

const lacquers: readonly [Lacquer, ...Lacquer[]] = [
  { base: [22, 82, 52], area: [29, 98, 62], trace: [44, 122, 78] },
  { base: [24, 56, 108], area: [30, 68, 126], trace: [44, 88, 150] },
  { base: [16, 66, 58], area: [22, 80, 70], trace: [34, 104, 90] },
];
const copper: Color = [198, 160, 84];
const legend: Color = [212, 218, 208];
const hole: Color = [16, 17, 19];

/** The placement grid: which cells of 26 units are free. */
class CellGrid {
  private readonly taken: Uint8Array;
  constructor(
    readonly rows: number,
    readonly columns: number,
  ) {
    this.taken = new Uint8Array(rows * columns);
  }
  isFree(row: number, column: number, rows: number, columns: number): boolean {
    if (row < 0 || column < 0 || row + rows > this.rows || column + columns > this.columns) return false;
    for (let r = row; r < row + rows; r += 1) {
      for (let c = column; c < column + columns; c += 1) if (this.taken[r * this.columns + c] === 1) return false;
    }
    return true;
  }
  take(row: number, column: number, rows: number, columns: number): void {
    for (let r = Math.max(0, row); r < Math.min(this.rows, row + rows); r += 1) {
      for (let c = Math.max(0, column); c < Math.min(this.columns, column + columns); c += 1) {
        this.taken[r * this.columns + c] = 1;
      }
    }
  }
}

const via = (x: number, y: number, unit: number): Shape[] => [
  disc(x, y, 2.5 * unit, copper),
  disc(x, y, 1.2 * unit, hole),
];

/** Traces from pad to pad: each goes straight, then diagonally, as routers draw them. */
function routeTraces(pads: readonly { x: number; y: number; part: number }[], unit: number, color: Color): Shape[] {
  const shapes: Shape[] = [];
  const reach = 110 * unit;
  const bucket = reach;
  const buckets = new Map<string, number[]>();
  const key = (x: number, y: number): string => `${Math.floor(x / bucket)},${Math.floor(y / bucket)}`;
  const connected = new Set<number>();
  pads.forEach((pad, index) => {
    let best = -1;
    let bestDistance = reach;
    for (const dx of [-bucket, 0, bucket]) {
      for (const dy of [-bucket, 0, bucket]) {
        for (const other of buckets.get(key(pad.x + dx, pad.y + dy)) ?? []) {
          const candidate = pads[other];
          if (candidate === undefined || candidate.part === pad.part || connected.has(other)) continue;
          const distance = Math.hypot(candidate.x - pad.x, candidate.y - pad.y);
          if (distance < bestDistance && distance > 12 * unit) {
            best = other;
            bestDistance = distance;
          }
        }
      }
    }
    const own = key(pad.x, pad.y);
    buckets.set(own, [...(buckets.get(own) ?? []), index]);
    const end = pads[best];
    if (end === undefined) return;
    connected.add(best);
    const dx = end.x - pad.x;
    const dy = end.y - pad.y;
    const diagonal = Math.min(Math.abs(dx), Math.abs(dy));
    const bendX = end.x - Math.sign(dx) * diagonal;
    const bendY = end.y - Math.sign(dy) * diagonal;
    const half = (index % 5 === 0 ? 1.7 : 1) * unit;
    shapes.push(line(pad.x, pad.y, bendX, bendY, half, color), line(bendX, bendY, end.x, end.y, half, color));
  });
  return shapes;
}

/** Mounting holes in the corners, edge contacts at the bottom, and a name at the top. */
function furniture(edges: BoardLayout['edges'], grid: CellGrid, cell: number, unit: number, random: Random): Shape[] {
  const [left, top, right, bottom] = edges;
  const shapes: Shape[] = [];
  if (grid.rows >= 6 && grid.columns >= 6) {
    const inset = 13 * unit;
    for (const [x, y, row, column] of [
      [left + inset, top + inset, 0, 0],
      [right - inset, top + inset, 0, grid.columns - 1],
      [left + inset, bottom - inset, grid.rows - 1, 0],
      [right - inset, bottom - inset, grid.rows - 1, grid.columns - 1],
    ] as const) {
      shapes.push(disc(x, y, 10 * unit, copper), disc(x, y, 10 * unit, [150, 118, 58], { stroke: unit }));
      shapes.push(disc(x, y, 6 * unit, hole));
      grid.take(row, column, 1, 1);
    }
    const fingers = Math.floor(((grid.columns - 4) * cell) / (8 * unit));
    const start = (left + right) / 2 - (fingers * 8 * unit) / 2;
    for (let i = 0; i < fingers; i += 1) {
      const x = start + (i + 0.5) * 8 * unit;
      shapes.push(box(x, bottom - 8.5 * unit, 2.6 * unit, 8.5 * unit, copper, { radius: unit }));
      shapes.push(box(x - 0.8 * unit, bottom - 8.5 * unit, 0.7 * unit, 7 * unit, [228, 196, 124], { alpha: 0.7 }));
    }
    grid.take(grid.rows - 1, 0, 1, grid.columns);
    const title = `TS-${random.integer(100, 999)} REV ${random.pick(['A', 'B', 'C'] as const)}`;
    const column = Math.max(1, Math.floor(grid.columns / 2) - 2);
    grid.take(0, column, 1, 5);
    shapes.push(...textShapes(title, left + (column + 2.5) * cell, top + 0.5 * cell, 9.5 * unit, legend));
  }
  return shapes;
}

function placeParts(
  grid: CellGrid,
  origin: readonly [number, number],
  cell: number,
  unit: number,
  random: Random,
): { parts: PlacedPart[]; legendShapes: Shape[]; vias: Shape[] } {
  const parts: PlacedPart[] = [];
  const legendShapes: Shape[] = [];
  const vias: Shape[] = [];
  const counters = new Map<string, number>();
  const put = (kind: PartKind, row: number, column: number, upright: boolean): void => {
    const [rows, columns] = upright ? [kind.columns, kind.rows] : [kind.rows, kind.columns];
    grid.take(row, column, rows, columns);
    const x = origin[0] + (column + columns / 2) * cell;
    const y = origin[1] + (row + rows / 2) * cell;
    const angle = upright ? -Math.PI / 2 : 0;
    const design = kind.design(unit, random);
    parts.push({ x, y, angle, design });
    if (kind.letter === '') return;
    const number = (counters.get(kind.letter) ?? 0) + 1;
    counters.set(kind.letter, number);
    const aboveY = y - (upright ? design.halfWidth : design.halfHeight) - 4.6 * unit;
    const top = origin[1] + row * cell + 3 * unit;
    legendShapes.push(...textShapes(`${kind.letter}${number}`, x, Math.max(top, aboveY), 4.6 * unit, legend));
  };
  const attempts = Math.round((grid.rows * grid.columns) / 5);
  for (let i = 0; i < attempts; i += 1) {
    const kind = pickPart(largeParts, random);
    if (kind === undefined) continue;
    const upright = random.chance(0.4);
    const [rows, columns] = upright ? [kind.columns, kind.rows] : [kind.rows, kind.columns];
    const row = random.integer(0, grid.rows - 1);
    const column = random.integer(0, grid.columns - 1);
    if (grid.isFree(row, column, rows, columns)) put(kind, row, column, upright);
  }
  for (let row = 0; row < grid.rows; row += 1) {
    // Neighbours in a row tend to be of one kind and one direction, as in a bank of decoupling capacitors.
    let kind = pickPart(smallParts, random);
    let upright = random.chance(0.5);
    for (let column = 0; column < grid.columns; column += 1) {
      if (!grid.isFree(row, column, 1, 1)) continue;
      if (random.chance(0.35)) {
        kind = pickPart(smallParts, random);
        upright = random.chance(0.5);
      }
      if (kind !== undefined && random.chance(0.8)) {
        put(kind, row, column, upright);
        continue;
      }
      for (let i = random.integer(1, 3); i > 0; i -= 1) {
        const x = origin[0] + (column + random.uniform(0.2, 0.8)) * cell;
        vias.push(...via(x, origin[1] + (row + random.uniform(0.2, 0.8)) * cell, unit));
      }
    }
  }
  return { parts, legendShapes, vias };
}

/** The board drawn up last: the images of a data set share theirs, and drawing it up takes as long as an image. */
let latest: { key: string; layout: BoardLayout } | undefined;

/** The board of a seed for an image size (pixels). */
export function designBoard(seed: number, size: { height: number; width: number }): BoardLayout {
  const key = `${seed} ${size.height} ${size.width}`;
  if (latest?.key !== key) latest = { key, layout: drawUpBoard(seed, size) };
  return latest.layout;
}

function drawUpBoard(seed: number, size: { height: number; width: number }): BoardLayout {
  const random = createRandom(seed, 1);
  const unit = unitOf(size);
  const cell = 26 * unit;
  const border = 7 * unit;
  const edges = [border, border, size.width - border, size.height - border] as const;
  const [left, top, right, bottom] = edges;
  const inner = 3 * unit;
  const grid = new CellGrid(
    Math.max(1, Math.floor((bottom - top - 2 * inner) / cell)),
    Math.max(1, Math.floor((right - left - 2 * inner) / cell)),
  );
  const origin = [
    left + (right - left - grid.columns * cell) / 2,
    top + (bottom - top - grid.rows * cell) / 2,
  ] as const;
  const lacquer = random.pick(lacquers);

  const ground: Shape[] = [];
  for (let i = Math.round((grid.rows * grid.columns) / 16); i > 0; i -= 1) {
    const halfWidth = random.uniform(0.6, 2.4) * cell;
    const halfHeight = random.uniform(0.6, 2.4) * cell;
    const x = random.uniform(left + halfWidth, Math.max(left + halfWidth, right - halfWidth));
    const y = random.uniform(top + halfHeight, Math.max(top + halfHeight, bottom - halfHeight));
    ground.push(box(x, y, halfWidth, halfHeight, lacquer.area, { radius: 4 * unit }));
  }
  const fixed = furniture(edges, grid, cell, unit, random);
  const { parts, legendShapes, vias } = placeParts(grid, origin, cell, unit, random);
  const pads = parts.flatMap((part, index) => {
    const pose = createPose(part.x, part.y, part.angle);
    return part.design.pads.map(([padX, padY]) => {
      const [x, y] = posePoint(padX, padY, pose);
      return { x, y, part: index };
    });
  });
  ground.push(...routeTraces(pads, unit, lacquer.trace), ...vias, ...fixed, ...legendShapes);
  for (const part of parts) {
    const pose = createPose(part.x, part.y, part.angle);
    ground.push(...part.design.ground.map((shape) => poseShape(shape, pose)));
  }
  return { unit, edges, lacquer, ground, parts };
}
