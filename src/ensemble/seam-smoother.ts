import type { ScoreMap } from '../data/image.js';
import type { Gpu } from '../engine/gpu.js';
import { Graph, type Tensor } from '../engine/graph.js';
import { compile, type Plan, type PlanOptions } from '../engine/plan.js';
import type { Profiler } from '../engine/profiler.js';
import { Program } from '../engine/program.js';
import { elementCount } from '../engine/tensor.js';
import { gaussianBlur, gaussianWeights } from '../kernels/gaussian-blur.js';
import { mirrored, seamRects, stripReach, type SeamRect, type SeamSmoothing } from './seams.js';
import type { TileGrid } from './tiling.js';

/** Pieces of strips that are blurred in one submit. */
const piecesAtOnce = 16;

/** How seams are smoothed on the device; made without one. The bytes depend on the tile alone, not on the image. */
export interface SeamPlan {
  readonly plan: Plan;
  readonly pieces: Tensor;
  readonly blurred: Tensor;
  /** Size of a piece without its rim: across the seam and along it, in pixels. */
  readonly across: number;
  readonly along: number;
  /** Width of the rim, the radius of the blur. */
  readonly rim: number;
}

/** Plans the smoothing; undefined where there is nothing to smooth. */
export function planSeams(
  grid: TileGrid,
  smoothing: SeamSmoothing & { readonly apply?: boolean },
  options: Pick<PlanOptions, 'adapter' | 'kernels' | 'tuning'>,
): SeamPlan | undefined {
  const { height, width } = grid.tile;
  const across = 2 * Math.max(stripReach(height, smoothing.width), stripReach(width, smoothing.width));
  if (smoothing.apply === false || grid.positions === 1 || across === 0) return undefined;
  const along = Math.max(height, width);
  const rim = (gaussianWeights(smoothing.sigma).length - 1) / 2;
  // Whole vectors of four, which the fastest blur wants.
  const side = (size: number): number => Math.ceil((size + 2 * rim) / 4) * 4;
  const graph = new Graph('seams');
  const pieces = graph.input('pieces', [piecesAtOnce, side(across), side(along), 1]);
  const blurred = graph.output(gaussianBlur(graph, pieces, { sigma: smoothing.sigma }));
  return { plan: compile(graph, { ...options, slots: 2 }), pieces, blurred, across, along, rim };
}

/** A blurred piece that waits until no other piece needs the values it replaces. */
interface Blurred {
  readonly rect: SeamRect;
  readonly data: Float32Array;
}

/**
 * Blurs merged maps along the seams on the device, in place: the strips around the seams are cut into pieces of one size
 * with a rim around each (mirrored at the map's edges), blurred some at a time through two slots, and written back once
 * no piece needs the old values. Pixels outside the strips keep their bytes. Device memory is that of one plan, host
 * memory some rows of the map.
 */
export class SeamSmoother {
  readonly #rects: readonly SeamRect[];
  readonly #block: Float32Array;
  readonly #height: number;
  readonly #width: number;

  private constructor(
    private readonly program: Program,
    private readonly seams: SeamPlan,
    grid: TileGrid,
    smoothing: SeamSmoothing,
  ) {
    this.#rects = seamRects(grid, smoothing.width, seams.across, seams.along);
    const [, height = 0, width = 0] = seams.pieces.shape;
    this.#height = height;
    this.#width = width;
    this.#block = new Float32Array(elementCount(seams.pieces.shape));
  }

  static async create(
    gpu: Gpu,
    seams: SeamPlan,
    grid: TileGrid,
    smoothing: SeamSmoothing,
    profiler?: Profiler,
  ): Promise<SeamSmoother> {
    return new SeamSmoother(await Program.create(gpu, seams.plan, { profiler }), seams, grid, smoothing);
  }

  /** Smooths a map of the grid's image size in place. One map at a time. */
  async smooth(map: ScoreMap): Promise<void> {
    const { program, seams } = this;
    const inFlight: (readonly SeamRect[] | undefined)[] = [undefined, undefined];
    const waiting: Blurred[] = [];
    const collect = async (slot: number): Promise<void> => {
      const rects = inFlight[slot];
      if (!rects) return;
      inFlight[slot] = undefined;
      const blurred = await program.read(slot, seams.blurred);
      rects.forEach((rect, index) => waiting.push({ rect, data: this.#inner(blurred, index, rect) }));
    };
    let slot = 0;
    for (let first = 0; first < this.#rects.length; first += piecesAtOnce) {
      await collect(slot);
      const rects = this.#rects.slice(first, first + piecesAtOnce);
      const top = rects[0]?.top ?? 0;
      // Pieces come from top to bottom: what lies a rim above them is read by none of them.
      while ((waiting[0]?.rect.top ?? Infinity) + (waiting[0]?.rect.height ?? 0) <= top - seams.rim) {
        writeBack(map, waiting.shift());
      }
      rects.forEach((rect, index) => this.#cut(map, rect, index));
      await program.write(slot, seams.pieces, this.#block.subarray(0, rects.length * this.#height * this.#width));
      program.run(slot);
      inFlight[slot] = rects;
      slot = 1 - slot;
    }
    await collect(slot);
    await collect(1 - slot);
    for (const blurred of waiting) writeBack(map, blurred);
  }

  /** Copies a piece with its rim into the block, those of column strips with rows and columns exchanged. */
  #cut(map: ScoreMap, rect: SeamRect, index: number): void {
    const { rim } = this.seams;
    const block = this.#block;
    const start = index * this.#height * this.#width;
    const [stepRow, stepColumn] = rect.upright ? [1, this.#width] : [this.#width, 1];
    const columns = rect.width + 2 * rim;
    const inside = rect.left >= rim && rect.left + rect.width + rim <= map.width;
    for (let row = 0; row < rect.height + 2 * rim; row++) {
      const line = mirrored(rect.top - rim + row, map.height) * map.width;
      const to = start + row * stepRow;
      const first = line + rect.left - rim;
      if (inside && stepColumn === 1) {
        block.set(map.data.subarray(first, first + columns), to);
        continue;
      }
      for (let column = 0; column < columns; column++) {
        const from = inside ? first + column : line + mirrored(rect.left - rim + column, map.width);
        block[to + column * stepColumn] = map.data[from] ?? 0;
      }
    }
  }

  /** The blurred values of a piece without its rim, in the order of the map. */
  #inner(blurred: Float32Array, index: number, rect: SeamRect): Float32Array {
    const { rim } = this.seams;
    const data = new Float32Array(rect.height * rect.width);
    const start = (index * this.#height + rim) * this.#width + rim;
    const [stepRow, stepColumn] = rect.upright ? [1, this.#width] : [this.#width, 1];
    for (let row = 0; row < rect.height; row++) {
      const from = start + row * stepRow;
      for (let column = 0; column < rect.width; column++) {
        data[row * rect.width + column] = blurred[from + column * stepColumn] ?? 0;
      }
    }
    return data;
  }

  destroy(): void {
    this.program.destroy();
  }
}

function writeBack(map: ScoreMap, blurred: Blurred | undefined): void {
  if (!blurred) return;
  const { rect, data } = blurred;
  for (let row = 0; row < rect.height; row++) {
    map.data.set(data.subarray(row * rect.width, (row + 1) * rect.width), (rect.top + row) * map.width + rect.left);
  }
}
