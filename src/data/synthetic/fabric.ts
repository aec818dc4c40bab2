import { createRandom, mixSeed, type Random } from './random.js';
import type { Color, Window } from './raster.js';
import { unitOf, windowAround, type Patch, type Scene } from './scene.js';

const warpColor: Color = [84, 94, 112];
const weftColor: Color = [150, 152, 150];
const backing: Color = [30, 31, 34];

/** What is wrong with the weave near a point; lengths in threads. */
interface Fault {
  readonly u: number;
  readonly v: number;
  readonly reach: number;
  /** A weft thread that is missing over the reach, or threads pulled aside by up to `pull` threads. */
  readonly kind: 'missing' | 'pulled';
  readonly pull: number;
}

/** A number in [-1, 1] for a thread, from its own number and the fabric's. */
const threadTone = (fabric: number, thread: number): number => mixSeed(fabric, thread) / 0x80000000;

/**
 * A twill fabric without a pose: each image shows another place of it, turned at random, so that nothing is aligned
 * between images. `seed` chooses the yarn; `index` the place and the angle.
 */
export function fabricScene(seed: number, index: number, size: { height: number; width: number }): Scene {
  const { height, width } = size;
  const unit = unitOf(size);
  const pitch = 7 * unit;
  const random = createRandom(seed, index, 5);
  const angle = random.uniform(0, 2 * Math.PI);
  const startU = random.uniform(0, 4096);
  const startV = random.uniform(0, 4096);
  const cos = Math.cos(angle) / pitch;
  const sin = Math.sin(angle) / pitch;
  const reachThreads = Math.ceil(Math.hypot(height, width) / pitch) + 2;
  const tones = (salt: number, start: number): Float32Array => {
    const first = Math.floor(start) - reachThreads;
    return Float32Array.from({ length: 2 * reachThreads + 1 }, (_, i) => threadTone(seed + salt, first + i));
  };
  const warpTones = tones(11, startU);
  const weftTones = tones(12, startV);
  const firstU = Math.floor(startU) - reachThreads;
  const firstV = Math.floor(startV) - reachThreads;
  const toThreads = (x: number, y: number): [number, number] => [
    startU + (x - width / 2) * cos + (y - height / 2) * sin,
    startV + (y - height / 2) * cos - (x - width / 2) * sin,
  ];

  const renderWith = (window: Window, fault: Fault | undefined): Uint8Array => {
    const target = new Uint8Array(window.width * window.height * 3);
    for (let row = 0, at = 0; row < window.height; row += 1) {
      for (let column = 0; column < window.width; column += 1, at += 3) {
        let [u, v] = toThreads(window.left + column + 0.5, window.top + row + 0.5);
        let missing = false;
        if (fault !== undefined) {
          const du = u - fault.u;
          const dv = v - fault.v;
          if (fault.kind === 'missing') {
            missing = Math.floor(v) === Math.floor(fault.v) && Math.abs(du) < fault.reach;
          } else {
            const nearness = 1 - (du * du + dv * dv) / (fault.reach * fault.reach);
            if (nearness > 0) {
              u += fault.pull * nearness * nearness;
              v += fault.pull * 0.6 * nearness * nearness;
            }
          }
        }
        const i = Math.floor(u);
        const j = Math.floor(v);
        const warpAbove = ((i - j) & 3) < 2;
        const across = (warpAbove ? u - i : v - j) - 0.5;
        // Along a float of two crossings the yarn rises and sinks again.
        const along = warpAbove ? (v + 1 - i) / 2 : (u + 1 - j) / 2;
        const rise = Math.sin(Math.PI * (along - Math.floor(along)));
        const tone = warpAbove ? (warpTones[i - firstU] ?? 0) : (weftTones[j - firstV] ?? 0);
        const fibre = Math.sin((warpAbove ? u * 19 + v * 6 : v * 19 + u * 6) + tone * 9) * 0.04;
        const round = 1 - 3.1 * across * across;
        const shade = (0.62 + 0.2 * rise + fibre + 0.05 * tone) * (0.35 + 0.8 * round);
        const gap = missing && !warpAbove;
        const color = gap ? backing : warpAbove ? warpColor : weftColor;
        const light = gap ? 1 : shade;
        target[at] = color[0] * light + 0.5;
        target[at + 1] = color[1] * light + 0.5;
        target[at + 2] = color[2] * light + 0.5;
      }
    }
    return target;
  };
  const place = (source: Random, margin: number): { x: number; y: number } => {
    const insetX = Math.min(margin, width / 2);
    const insetY = Math.min(margin, height / 2);
    return { x: source.uniform(insetX, width - insetX), y: source.uniform(insetY, height - insetY) };
  };
  const patch = (source: Random, extent: number, kind: Fault['kind'], pull: number): Patch => {
    const { x, y } = place(source, extent / 2);
    const [u, v] = toThreads(x, y);
    const window = windowAround(x, y, extent / 2 + 2, size);
    return { window, data: renderWith(window, { u, v, reach: (extent * 0.48) / pitch, kind, pull }), x, y };
  };
  return {
    height,
    width,
    unit,
    render: (window) => renderWith(window, undefined),
    place,
    withoutPart: (source, extent) => patch(source, extent, 'missing', 0),
    withPartMoved: (source, extent) => patch(source, extent, 'pulled', source.uniform(0.9, 1.4)),
  };
}
