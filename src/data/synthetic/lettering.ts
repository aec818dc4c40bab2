import { line, type Color, type Shape } from './raster.js';

/**
 * Letters as a plotter draws them: polylines on a grid of 5 by 7 points, each point two digits (column 0–4, row 0–6),
 * points of a line separated by spaces, lines by bars.
 */
const strokes: Readonly<Record<string, string>> = {
  A: '06 02 20 42 46|04 44',
  B: '06 00 30 41 42 33 03|33 44 45 36 06',
  C: '41 30 10 01 05 16 36 45',
  D: '00 06 26 44 42 20 00',
  E: '40 00 06 46|03 33',
  F: '40 00 06|03 33',
  G: '41 30 10 01 05 16 36 45 43 23',
  H: '00 06|40 46|03 43',
  J: '40 45 36 16 05',
  K: '00 06|40 03 46',
  L: '00 06 46',
  M: '06 00 23 40 46',
  N: '06 00 46 40',
  P: '06 00 30 41 42 33 03',
  Q: '10 30 41 45 36 16 05 01 10|24 46',
  R: '06 00 30 41 42 33 03|23 46',
  S: '41 30 10 01 02 13 33 44 45 36 16 05',
  T: '00 40|20 26',
  U: '00 05 16 36 45 40',
  V: '00 26 40',
  X: '00 46|40 06',
  Y: '00 23 40|23 26',
  Z: '00 40 06 46',
  '0': '10 30 41 45 36 16 05 01 10',
  '1': '11 20 26|16 36',
  '2': '01 10 30 41 42 06 46',
  '3': '00 40 23 33 44 45 36 16 05',
  '4': '36 30 04 44',
  '5': '40 00 03 33 44 45 36 16 05',
  '6': '40 20 01 05 16 36 45 44 33 03',
  '7': '00 40 16',
  '8': '13 02 01 10 30 41 42 33 13 04 05 16 36 45 44 33',
  '9': '43 13 02 01 10 30 41 45 26 06',
  '-': '03 43',
};

/** The line segments of each letter in grid units: from x, from y, to x, to y. */
const segments: ReadonlyMap<string, readonly (readonly [number, number, number, number])[]> = new Map(
  Object.entries(strokes).map(([letter, polylines]) => [
    letter,
    polylines.split('|').flatMap((polyline) => {
      const points = polyline.split(' ').map((point) => [Number(point[0]), Number(point[1])] as const);
      return points.slice(1).map(([toX, toY], i) => {
        const [fromX, fromY] = points[i] ?? [toX, toY];
        return [fromX, fromY, toX, toY] as const;
      });
    }),
  ]),
);

/** Width of a text whose letters are `height` high. */
export function textWidth(text: string, height: number): number {
  return text.length * height - height / 3;
}

/** A text centred on (x, y) as lines; letters without strokes and spaces are left blank. */
export function textShapes(text: string, x: number, y: number, height: number, color: Color): Shape[] {
  const grid = height / 6;
  const top = y - 3 * grid;
  const weight = height * 0.075;
  const shapes: Shape[] = [];
  let left = x - textWidth(text, height) / 2;
  for (const letter of text) {
    for (const [fromX, fromY, toX, toY] of segments.get(letter) ?? []) {
      shapes.push(line(left + fromX * grid, top + fromY * grid, left + toX * grid, top + toY * grid, weight, color));
    }
    left += height;
  }
  return shapes;
}
