import { textShapes } from './lettering.js';
import type { Random } from './random.js';
import { box, disc, line, type Color, type Shape } from './raster.js';

/**
 * A kind of part in its own frame: origin at its centre, lengths in pixels, drawn from the first shape to the last.
 * `ground` (pads, legend) belongs to the bare board and stays where it is; `body` is what is placed on it.
 */
export interface PartDesign {
  readonly halfWidth: number;
  readonly halfHeight: number;
  readonly ground: readonly Shape[];
  readonly body: readonly Shape[];
  /** Centres of the pads, where traces may end. */
  readonly pads: readonly (readonly [number, number])[];
  /** Whether it throws a shadow: how high it is, in units. */
  readonly height: number;
}

const tin: Color = [178, 180, 176];
const brightTin: Color = [206, 208, 204];
const solder: Color = [150, 152, 150];
const epoxy: Color = [40, 41, 44];
const epoxyEdge: Color = [58, 59, 63];
const epoxyMark: Color = [146, 147, 144];
const legend: Color = [212, 218, 208];

const letters = ['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'K', 'L', 'M', 'N', 'P', 'R', 'S', 'T', 'X'] as const;

/** A word such as makers print on parts. */
function word(random: Random, letterCount: number, digitCount: number): string {
  let text = '';
  for (let i = 0; i < letterCount; i += 1) text += random.pick(letters);
  for (let i = 0; i < digitCount; i += 1) text += String(random.integer(0, 9));
  return text;
}

/** Two solder pads left and right, and legend corners around them. */
function twoPads(unit: number, half: number, width: number, height: number): Pick<PartDesign, 'ground' | 'pads'> {
  const pad = (x: number): Shape => box(x, 0, width, height, solder, { radius: unit });
  const edge = half + width * 0.4 + 2 * unit;
  const side = height + 2 * unit;
  const bracket = (sign: number): Shape[] => [
    line(sign * edge, -side, sign * edge, side, 0.45 * unit, legend),
    line(sign * edge, -side, sign * (edge - 3 * unit), -side, 0.45 * unit, legend),
    line(sign * edge, side, sign * (edge - 3 * unit), side, 0.45 * unit, legend),
  ];
  return {
    ground: [pad(-half), pad(half), ...bracket(-1), ...bracket(1)],
    pads: [
      [-half, 0],
      [half, 0],
    ],
  };
}

function resistor(unit: number, random: Random): PartDesign {
  const [halfWidth, halfHeight] = [9 * unit, 4.6 * unit];
  return {
    ...twoPads(unit, halfWidth - unit, 3.4 * unit, halfHeight + 0.6 * unit),
    halfWidth,
    halfHeight,
    height: 1,
    body: [
      box(0, 0, halfWidth, halfHeight, brightTin, { radius: 0.6 * unit }),
      box(0, 0, halfWidth - 3 * unit, halfHeight, [36, 37, 42]),
      ...textShapes(word(random, 0, 3), 0, 0, 4.2 * unit, [188, 190, 188]),
    ],
  };
}

function capacitor(unit: number, random: Random): PartDesign {
  const [halfWidth, halfHeight] = [8 * unit, 5.2 * unit];
  const tan: Color = random.pick([
    [166, 132, 96],
    [148, 116, 84],
    [172, 146, 112],
  ]);
  return {
    ...twoPads(unit, halfWidth - unit, 3.2 * unit, halfHeight + 0.6 * unit),
    halfWidth,
    halfHeight,
    height: 1.6,
    body: [
      box(0, 0, halfWidth, halfHeight, brightTin, { radius: 0.8 * unit }),
      box(0, 0, halfWidth - 2.6 * unit, halfHeight, tan),
      box(0, -halfHeight * 0.45, halfWidth - 3 * unit, halfHeight * 0.18, [206, 182, 152], {
        alpha: 0.5,
        soft: 2 * unit,
      }),
    ],
  };
}

function diode(unit: number, random: Random): PartDesign {
  const [halfWidth, halfHeight] = [9 * unit, 5 * unit];
  return {
    ...twoPads(unit, halfWidth + unit, 3 * unit, halfHeight * 0.8),
    halfWidth,
    halfHeight,
    height: 2,
    body: [
      box(0, 0, halfWidth + 1.5 * unit, halfHeight * 0.5, tin),
      box(0, 0, halfWidth - unit, halfHeight, epoxy, { radius: 0.6 * unit }),
      box(-halfWidth + 4 * unit, 0, 1.1 * unit, halfHeight, [196, 196, 192]),
      ...textShapes(word(random, 1, 1), 2 * unit, 0, 4.4 * unit, epoxyMark),
    ],
  };
}

function led(unit: number, random: Random): PartDesign {
  const [halfWidth, halfHeight] = [8.5 * unit, 5 * unit];
  const lens: Color = random.pick([
    [232, 214, 128],
    [226, 226, 214],
    [214, 122, 108],
  ]);
  return {
    ...twoPads(unit, halfWidth - unit, 3 * unit, halfHeight),
    halfWidth,
    halfHeight,
    height: 1.4,
    body: [
      box(0, 0, halfWidth, halfHeight, [222, 220, 208], { radius: unit }),
      disc(0, 0, 4 * unit, lens),
      disc(-unit, -unit, 1.6 * unit, [250, 248, 238], { alpha: 0.6, soft: 2 * unit }),
      box(halfWidth - 1.6 * unit, 0, 0.8 * unit, halfHeight, [96, 140, 96]),
    ],
  };
}

/** A small-outline transistor: two leads on one side, one on the other. */
function transistor(unit: number, random: Random): PartDesign {
  const [halfWidth, halfHeight] = [8 * unit, 8 * unit];
  const leads = [
    [-5, 7.5],
    [5, 7.5],
    [0, -7.5],
  ].map(([x = 0, y = 0]) => [x * unit, y * unit] as const);
  return {
    halfWidth,
    halfHeight,
    height: 2,
    pads: leads,
    ground: leads.map(([x, y]) => box(x, y, 2.6 * unit, 3.2 * unit, solder, { radius: 0.6 * unit })),
    body: [
      ...leads.map(([x, y]) => box(x, y * 0.9, 1.5 * unit, 2.6 * unit, tin)),
      box(0, 0, halfWidth, 4.6 * unit, epoxy, { radius: 0.6 * unit }),
      box(0, 0, halfWidth - 0.8 * unit, 3.8 * unit, epoxyEdge, { radius: 0.6 * unit, stroke: 0.6 * unit, alpha: 0.6 }),
      ...textShapes(word(random, 2, 1), 0, 0, 4.4 * unit, epoxyMark),
    ],
  };
}

/** An integrated circuit with leads on two sides, or on four. */
function circuit(unit: number, random: Random, leadCount: number, sides: 2 | 4): PartDesign {
  const pitch = 6 * unit;
  const half = (leadCount * pitch) / 2 + unit;
  const [bodyX, bodyY] = [half, sides === 4 ? half : 13 * unit];
  const pads: (readonly [number, number])[] = [];
  const ground: Shape[] = [];
  const body: Shape[] = [];
  const lead = (x: number, y: number, upright: boolean): void => {
    const size = (length: number, width: number): [number, number] => (upright ? [width, length] : [length, width]);
    const out = upright ? ([0, Math.sign(y)] as const) : ([Math.sign(x), 0] as const);
    pads.push([x + out[0] * 2 * unit, y + out[1] * 2 * unit]);
    ground.push(box(x + out[0] * unit, y + out[1] * unit, ...size(4 * unit, 1.9 * unit), solder));
    body.push(box(x - out[0] * unit, y - out[1] * unit, ...size(4 * unit, 1.25 * unit), tin));
    body.push(box(x + out[0] * unit, y + out[1] * unit, ...size(1.4 * unit, 1.25 * unit), brightTin));
  };
  for (let i = 0; i < leadCount; i += 1) {
    const along = (i - (leadCount - 1) / 2) * pitch;
    for (const sign of [-1, 1]) {
      lead(along, sign * (bodyY + 2.4 * unit), true);
      if (sides === 4) lead(sign * (bodyX + 2.4 * unit), along, false);
    }
  }
  const small = leadCount < 6;
  const size = small ? 5.4 * unit : 7 * unit;
  ground.push(disc(-bodyX - 3 * unit, -bodyY - 4 * unit, 1.3 * unit, legend));
  body.push(
    box(0, 0, bodyX, bodyY, epoxy, { radius: unit }),
    box(0, 0, bodyX - 1.2 * unit, bodyY - 1.2 * unit, epoxyEdge, { radius: unit, stroke: unit, alpha: 0.7 }),
    disc(-bodyX + 4.5 * unit, bodyY - 4.5 * unit, 1.8 * unit, [24, 25, 27]),
    disc(-bodyX + 4.5 * unit, bodyY - 4.5 * unit, 1.8 * unit, [84, 85, 88], { stroke: 0.5 * unit }),
    ...textShapes(word(random, 2, small ? 2 : 4), 0, -size * 0.7, size, epoxyMark),
    ...textShapes(word(random, 1, small ? 2 : 3), 0, size * 0.8, size * 0.8, epoxyMark),
  );
  return { halfWidth: bodyX + 7 * unit, halfHeight: bodyY + 7 * unit, ground, body, pads, height: 3 };
}

/** An aluminium electrolytic capacitor seen from above: a can on a square base. */
function electrolytic(unit: number, random: Random): PartDesign {
  const radius = 17 * unit;
  const base = 18.5 * unit;
  const text = [`${random.pick(['10', '22', '47'])}0`, `${random.pick(['16', '25', '35'])}V`] as const;
  return {
    halfWidth: base,
    halfHeight: base,
    height: 6,
    pads: [
      [-base - unit, 0],
      [base + unit, 0],
    ],
    ground: [
      box(-base, 0, 5 * unit, 3 * unit, solder, { radius: unit }),
      box(base, 0, 5 * unit, 3 * unit, solder, { radius: unit }),
      box(0, 0, base + 2 * unit, base + 2 * unit, legend, { radius: 2 * unit, stroke: 0.9 * unit }),
    ],
    body: [
      box(0, 0, base, base, [34, 35, 38], { radius: 3 * unit }),
      disc(0, 0, radius, [168, 170, 172]),
      disc(0, 0, radius, [120, 122, 126], { stroke: 1.6 * unit, soft: 2 * unit }),
      disc(-5 * unit, -5 * unit, 8 * unit, [226, 228, 230], { alpha: 0.55, soft: 12 * unit }),
      box(-11.5 * unit, 0, 3.4 * unit, 10 * unit, [46, 48, 62], { radius: 2.6 * unit }),
      ...textShapes(text[0], 3 * unit, -3.6 * unit, 5.6 * unit, [64, 66, 74]),
      ...textShapes(text[1], 3 * unit, 4.4 * unit, 5.6 * unit, [64, 66, 74]),
    ],
  };
}

/** A quartz in a metal can. */
function crystal(unit: number, random: Random): PartDesign {
  const [halfWidth, halfHeight] = [21 * unit, 9 * unit];
  const text = `${random.integer(8, 25)}-${random.integer(100, 999)}`;
  return {
    ...twoPads(unit, halfWidth + unit, 3.5 * unit, 4 * unit),
    halfWidth,
    halfHeight,
    height: 4,
    body: [
      box(0, 0, halfWidth, halfHeight, [150, 152, 152], { radius: halfHeight * 0.9 }),
      box(0, 0, halfWidth - 2 * unit, halfHeight - 2 * unit, [186, 188, 188], {
        radius: halfHeight * 0.75,
        soft: 2 * unit,
      }),
      box(0, -3 * unit, halfWidth - 8 * unit, 1.2 * unit, [222, 224, 224], { alpha: 0.6, soft: 3 * unit }),
      ...textShapes(text, 0, unit, 5.4 * unit, [92, 94, 98]),
    ],
  };
}

/** A pin header in a plastic frame. */
function header(unit: number, random: Random): PartDesign {
  const count = random.integer(6, 8);
  const pitch = 11 * unit;
  const [halfWidth, halfHeight] = [(count * pitch) / 2 + 2 * unit, 9 * unit];
  const plastic: Color = random.pick([
    [222, 216, 198],
    [44, 44, 47],
  ]);
  const body: Shape[] = [
    box(0, 0, halfWidth, halfHeight, plastic, { radius: unit }),
    box(0, 0, halfWidth - 1.6 * unit, halfHeight - 1.6 * unit, [110, 108, 102], { stroke: 0.9 * unit, alpha: 0.7 }),
  ];
  const pads: (readonly [number, number])[] = [];
  for (let i = 0; i < count; i += 1) {
    const x = (i - (count - 1) / 2) * pitch;
    pads.push([x, halfHeight]);
    body.push(box(x, 0, 3.6 * unit, 3.6 * unit, [26, 26, 28]), box(x, 0, 1.9 * unit, 1.9 * unit, [210, 176, 96]));
  }
  const ground = [box(0, 0, halfWidth + 2 * unit, halfHeight + 2 * unit, legend, { stroke: 0.9 * unit })];
  return { halfWidth, halfHeight, ground, body, pads, height: 5 };
}

/** A paper label with a matrix code and a number. */
function label(unit: number, random: Random): PartDesign {
  const [halfWidth, halfHeight] = [33 * unit, 13 * unit];
  const paper: Color = [228, 228, 222];
  const ink: Color = [40, 40, 44];
  const body: Shape[] = [box(0, 0, halfWidth, halfHeight, paper, { radius: 0.6 * unit })];
  const cell = 2 * unit;
  for (let row = 0; row < 9; row += 1) {
    for (let column = 0; column < 9; column += 1) {
      const frame = column === 0 || row === 8 || ((row === 0 || column === 8) && (row + column) % 2 === 0);
      if (!frame && !random.chance(0.5)) continue;
      const x = -halfWidth + 5 * unit + column * cell;
      body.push(box(x, (row - 4) * cell, cell / 2, cell / 2, ink, { soft: 1 }));
    }
  }
  body.push(...textShapes(word(random, 2, 3), 11.5 * unit, -4.5 * unit, 7 * unit, ink));
  body.push(...textShapes(word(random, 0, 6), 11.5 * unit, 5 * unit, 5.6 * unit, ink));
  return { halfWidth, halfHeight, ground: [], body, pads: [], height: 0.3 };
}

/** A design with the cells of the placement grid it takes, and the letter of its reference on the board. */
export interface PartKind {
  readonly columns: number;
  readonly rows: number;
  readonly letter: string;
  /** How often it is chosen, against the others of its list. */
  readonly weight: number;
  readonly design: (unit: number, random: Random) => PartDesign;
}

/** Parts of more than one cell (a cell is 26 units). */
export const largeParts: readonly PartKind[] = [
  { columns: 4, rows: 4, letter: 'U', weight: 1, design: (unit, random) => circuit(unit, random, 11, 4) },
  { columns: 3, rows: 3, letter: 'U', weight: 1.5, design: (unit, random) => circuit(unit, random, 7, 4) },
  { columns: 2, rows: 2, letter: 'U', weight: 2.5, design: (unit, random) => circuit(unit, random, 4, 2) },
  { columns: 3, rows: 2, letter: 'U', weight: 2.5, design: (unit, random) => circuit(unit, random, 8, 2) },
  { columns: 2, rows: 2, letter: 'C', weight: 3, design: electrolytic },
  { columns: 3, rows: 1, letter: 'X', weight: 1, design: crystal },
  { columns: 4, rows: 1, letter: 'J', weight: 1.5, design: header },
  { columns: 3, rows: 1, letter: '', weight: 0.5, design: label },
];

/** Parts of one cell. */
export const smallParts: readonly PartKind[] = [
  { columns: 1, rows: 1, letter: 'R', weight: 5, design: resistor },
  { columns: 1, rows: 1, letter: 'C', weight: 5, design: capacitor },
  { columns: 1, rows: 1, letter: 'D', weight: 1.2, design: diode },
  { columns: 1, rows: 1, letter: 'D', weight: 0.8, design: led },
  { columns: 1, rows: 1, letter: 'Q', weight: 1.4, design: transistor },
];

/** One kind of a list by its weights. */
export function pickPart(kinds: readonly PartKind[], random: Random): PartKind | undefined {
  let rest = random.uniform(
    0,
    kinds.reduce((sum, kind) => sum + kind.weight, 0),
  );
  return kinds.find((kind) => {
    rest -= kind.weight;
    return rest < 0;
  });
}
