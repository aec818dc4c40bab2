import { TilesightError } from '../engine/errors.js';
import type { Gpu } from '../engine/gpu.js';
import { Graph } from '../engine/graph.js';
import { transferWindowBytes } from '../engine/gpu.js';
import { compile } from '../engine/plan.js';
import { Program } from '../engine/program.js';
import type { HostTensor } from '../engine/tensor.js';
import { nearest as nearestRows } from '../kernels/nearest/nearest.js';
import type { FitProgress } from './anomaly-model.js';
import { CoresetBuilder } from './coreset/builder.js';
import { checkCoresetFits, planCoreset } from './coreset/plan.js';

/** Options of {@link coreset}. */
export interface CoresetOptions {
  /** How many vectors to choose. */
  readonly count: number;
  /** Default 0. */
  readonly seed?: number;
  /** Choose in the sparse random projection of PatchCore where it is smaller than the vectors. Default true. */
  readonly project?: boolean;
  /** Device bytes that choosing may take; default what the device's budget has left. Decides between exact and streaming. */
  readonly budgetBytes?: number;
  readonly signal?: AbortSignal;
  /** Told how far it is. */
  readonly onProgress?: (progress: FitProgress) => void;
}

/** A coreset of given vectors. */
export interface VectorCoreset {
  /** Numbers of the chosen vectors, in the order in which they were taken. */
  readonly indices: Uint32Array;
  /** Largest distance of a vector of the last choice to the coreset, in the projection. */
  readonly radius: number;
  /** How it was chosen. */
  readonly kind: 'exact' | 'streaming';
  readonly notes: readonly string[];
}

/**
 * Chooses vectors that cover all others: the greedy k-centre, from a seeded first vector always the one farthest from all
 * chosen. Deterministic by seed. Where the vectors do not fit the budget they are chosen block by block, and `notes` say so.
 *
 * @param vectors `[N, d]`.
 * @throws TilesightError `usage` for an impossible count, `memory` when the budget is too small for anything.
 */
export async function coreset(gpu: Gpu, vectors: HostTensor, options: CoresetOptions): Promise<VectorCoreset> {
  const { count, seed = 0, project = true, signal, onProgress } = options;
  const { rows, elements } = matrix('coreset: vectors', vectors);
  const left = gpu.memory.budgetBytes - gpu.memory.liveBytes - 3 * transferWindowBytes;
  const plan = planCoreset({
    rows,
    elements,
    wanted: count,
    seed,
    adapter: gpu.profile,
    budgetBytes: options.budgetBytes ?? left,
    unprojected: !project,
  });
  checkCoresetFits(plan);
  const builder = await CoresetBuilder.create(gpu, plan);
  try {
    const watch = { signal, onProgress, checkpoint: undefined };
    await builder.appendHost(vectors.data, watch);
    const { indices, radius } = await builder.finish(watch);
    return { indices, radius, kind: plan.kind, notes: plan.notes };
  } finally {
    builder.destroy();
  }
}

/** Options of {@link nearest}. */
export interface NearestOptions {
  /** Keep the bank as 16-bit floats on the device: half the memory, distances to the rounded vectors. Default false. */
  readonly f16?: boolean;
  /** Forced kernel variants by operator: `{ nearest: 'naive' }`. */
  readonly kernels?: Readonly<Record<string, string>>;
}

/**
 * The k nearest vectors of a bank to each query by Euclidean distance, exact: `distances [Q, k]` ascending and
 * `indices [Q, k]`, equal distances in the order of the bank.
 *
 * @param queries `[Q, d]`.
 * @param bank `[N, d]`; may pass what the device binds at once.
 * @param k 1 to 16, at most N.
 */
export async function nearest(
  gpu: Gpu,
  queries: HostTensor,
  bank: HostTensor,
  k: number,
  { f16 = false, kernels }: NearestOptions = {},
): Promise<{ distances: Float32Array; indices: Uint32Array }> {
  const asked = matrix('nearest: queries', queries);
  const { rows, elements } = matrix('nearest: bank', bank);
  if (asked.elements !== elements) {
    throw new TilesightError('input', `nearest: queries of ${asked.elements} numbers, a bank of ${elements}`);
  }
  const width = Math.ceil(elements / 4) * 4;
  const graph = new Graph('nearest');
  const queryTensor = graph.parameter('queries', [asked.rows, width], { contents: () => padded(queries, width) });
  const bankTensor = graph.parameter('bank', [rows, width], {
    contents: () => padded(bank, width),
    dtype: f16 ? 'f16' : 'f32',
  });
  const found = nearestRows(graph, queryTensor, bankTensor, { k });
  graph.output(found.distances);
  graph.output(found.indices);
  const program = await Program.create(gpu, compile(graph, { adapter: gpu.profile, ...(kernels && { kernels }) }));
  try {
    program.run(0);
    const distances = await program.read(0, found.distances);
    const indices = new Uint32Array(asked.rows * k);
    await program.read(0, found.indices, indices);
    return { distances, indices };
  } finally {
    program.destroy();
  }
}

/** Checks a matrix: its shape, and that no number is missing or not finite. */
function matrix(what: string, { shape, data }: HostTensor): { rows: number; elements: number } {
  const [rows = 0, elements = 0] = shape;
  if (shape.length !== 2 || rows < 1 || elements < 1 || data.length !== rows * elements) {
    throw new TilesightError('input', `${what}: [${shape.join(', ')}] with ${data.length} numbers is not a matrix`);
  }
  const bad = data.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new TilesightError('numbers', `${what}: row ${Math.floor(bad / elements)} has a number that is not finite`);
  }
  return { rows, elements };
}

/** Rows filled up with zeros, which change no distance. */
function padded({ shape, data }: HostTensor, width: number): HostTensor {
  const [rows = 0, elements = 0] = shape;
  if (elements === width) return { shape, data };
  const filled = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) filled.set(data.subarray(row * elements, (row + 1) * elements), row * width);
  return { shape: [rows, width], data: filled };
}
