import type { AdapterProfile } from '../../engine/adapter.js';
import type { Gpu } from '../../engine/gpu.js';
import { Graph, type Tensor } from '../../engine/graph.js';
import { compile, type Plan } from '../../engine/plan.js';
import { ParameterPool, Program } from '../../engine/program.js';
import { declareKCentre, kCentreSteps, type KCentreState } from '../../kernels/coreset/k-centre.js';
import { gatherPoints, lowerDistances } from '../../kernels/coreset/lower.js';
import { project } from '../../kernels/coreset/project.js';
import { declareRows, rowGroup, type RowSet } from '../../kernels/coreset/rows.js';
import type { CheckpointStore } from '../anomaly-model.js';
import { readCheckpoint, writeCheckpoint } from './checkpoint.js';
import { farthest } from './farthest.js';
import type { SparseMatrix } from './projection.js';

/** Distance of a point that no centre has been measured to, and of the one among such that is to be taken first. */
const unmeasured = Math.fround(1e38);
const foremost = Math.fround(3.4e38);

/** Distance of a point that has been taken, as the picks mark it. */
const takenMark = -1;

/** Milliseconds between two checkpoints. */
const checkpointInterval = 30_000;

/** Points among which a round picks: as few as still give many picks a round (measured on uniform and on image features). */
const activePoints = 1024;

/** Most picks of a round, and of a series of plain picks: between two of them the device waits for the host. */
const roundPicks = 128;
const seriesPicks = 512;

/** Number of a pick that was not made. */
const noPick = 0xffffffff;

/** What a selector is made for. */
export interface SelectorSetting {
  /** Name of the rows' parameters in the pool. */
  readonly source: string;
  /** Rows that there is room for. */
  readonly rows: number;
  readonly elements: number;
  readonly projection: SparseMatrix;
  readonly adapter: AdapterProfile;
}

/** Plans of a selection: project all rows once; then picks, a series after the other. */
export interface SelectorPlan {
  readonly setting: SelectorSetting;
  readonly source: RowSet;
  /** Distances of all points. */
  readonly minimum: Tensor;
  /** State of the picks: among all points, or among the active ones of a round. */
  readonly state: KCentreState;
  readonly project: Plan;
  readonly pick: Plan;
  /** What rounds take beside: the active points' numbers, the number of centres, and the plan that lowers all distances. */
  readonly rounds: { readonly list: Tensor; readonly count: Tensor; readonly lower: Plan } | undefined;
}

const owner = 'coreset';

/**
 * Plans the choice of centres among rows. Selectors on one pool share the memory of the points; make the larger first.
 *
 * A large device goes through all points for every pick: that takes it less time than a host does to find the active
 * ones of a round. In software rounds are the faster.
 */
export function planSelector(setting: SelectorSetting): SelectorPlan {
  const { source: name, rows, elements, projection, adapter } = setting;
  const size = projection.size;
  const points = (graph: Graph): RowSet => declareRows(graph, 'coreset points', rows, size, adapter, owner);

  const projecting = new Graph(`${name} projection`);
  const table = (title: string, data: Float32Array): Tensor =>
    projecting.parameter(title, [data.length], {
      dtype: 'u32',
      owner,
      contents: () => ({ shape: [data.length], data }),
    });
  project(
    projecting,
    declareRows(projecting, name, rows, elements, adapter, owner),
    {
      size,
      starts: table('projection starts', projection.starts),
      entries: table('projection entries', projection.entries),
      scale: projection.scale,
    },
    points(projecting),
  );
  const common = {
    setting,
    source: declareRows(new Graph(name), name, rows, elements, adapter, owner),
    project: compile(projecting, { adapter }),
  };

  const picking = new Graph(`${name} picks`);
  const all = points(picking);
  if (adapter.class === 'hardware') {
    const picks = Math.min(seriesPicks, rows);
    const state = declareKCentre(picking, name, all, picks, adapter, owner);
    kCentreSteps(picking, all, state, picks);
    return { ...common, minimum: state.minimum, state, pick: compile(picking, { adapter }), rounds: undefined };
  }

  // One round: the listed points into the active ones, picks among these, and their vectors as rows.
  const fitting = Math.floor(adapter.limits.maxStorageBufferBindingSize / (size * 4) / rowGroup) * rowGroup;
  const active = Math.min(activePoints, Math.max(rowGroup, fitting), Math.ceil(rows / rowGroup) * rowGroup);
  const picks = Math.min(roundPicks, active);
  const list = picking.parameter(`${name} list`, [active], { dtype: 'u32', owner });
  const near = declareRows(picking, `${name} active`, active, size, adapter, owner);
  const [nearTensor] = near.tensors;
  if (!nearTensor) throw new Error('no active points');
  gatherPoints(picking, all, list, nearTensor, false);
  const state = declareKCentre(picking, name, near, picks, adapter, owner);
  kCentreSteps(picking, near, state, picks);
  const centres = picking.parameter(`${name} centres`, [picks, size], { owner });
  gatherPoints(picking, near, state.picks, centres, true);

  const lowering = new Graph(`${name} distances`);
  const minimum = lowering.parameter(`${name} distances`, [Math.ceil(rows / rowGroup) * rowGroup], { owner });
  const count = lowering.parameter(`${name} count`, [1], { dtype: 'u32', owner });
  const found = lowering.parameter(`${name} centres`, [picks, size], { owner });
  lowerDistances(lowering, points(lowering), found, count, minimum);
  return {
    ...common,
    minimum,
    state,
    pick: compile(picking, { adapter }),
    rounds: { list, count, lower: compile(lowering, { adapter }) },
  };
}

/** One selection. */
export interface Selection {
  /** Rows that are filled, from the first. */
  readonly rows: number;
  readonly wanted: number;
  /** The row that is taken first. */
  readonly first: number;
  readonly signal: AbortSignal | undefined;
  readonly onPick: ((done: number, total: number) => void) | undefined;
  /** Keeps picks and distances, so that a selection that was killed goes on. */
  readonly checkpoint: CheckpointStore | undefined;
}

/** The centres in the order in which they were taken, and how far the farthest row is from them (in the projection). */
export interface Selected {
  readonly picks: Uint32Array;
  readonly radius: number;
}

/**
 * Greedy k-centre over rows on the device, exact. Plainly, every pick goes through all points, in series of which nothing
 * but the picks is read back. In rounds, picks are made among few: distances to the centres only fall, so as long as the
 * farthest of the thousand farthest points is no nearer than any other point was, it is the farthest of all; then all points
 * are measured against the round's centres at once, at the speed of a matrix product instead of that of memory. Both take
 * the same points.
 */
export class Selector {
  private constructor(
    readonly gpu: Gpu,
    readonly plan: SelectorPlan,
    private readonly pool: ParameterPool,
    private readonly programs: {
      readonly project: Program;
      readonly pick: Program;
      readonly lower: Program | undefined;
    },
  ) {}

  static async create(gpu: Gpu, plan: SelectorPlan, pool: ParameterPool): Promise<Selector> {
    const made: Program[] = [];
    try {
      for (const each of [plan.project, plan.pick, ...(plan.rounds ? [plan.rounds.lower] : [])]) {
        made.push(await Program.create(gpu, each, { pool }));
      }
      const [projecting, picking, lower] = made;
      if (!projecting || !picking) throw new Error('two programs were made');
      return new Selector(gpu, plan, pool, { project: projecting, pick: picking, lower });
    } catch (error) {
      for (const program of made) program.destroy();
      throw error;
    }
  }

  async select(selection: Selection): Promise<Selected> {
    const { rows, wanted, first, signal, onPick, checkpoint } = selection;
    const agreement = [rows, wanted, first, this.plan.setting.elements, this.plan.setting.projection.size];
    this.programs.project.run(0, false);
    const picks = new Uint32Array(wanted);
    const taken = new Uint8Array(rows);
    const minimum = new Float32Array(rows).fill(unmeasured);
    minimum[first] = foremost;
    const stored = readCheckpoint(await checkpoint?.load(), agreement);
    let done = stored?.picks.length ?? 0;
    if (stored) {
      picks.set(stored.picks);
      minimum.set(stored.minimum);
      for (const pick of stored.picks) {
        taken[pick] = 1;
        minimum[pick] = takenMark;
      }
    }
    await this.#upload(this.plan.minimum, minimum);
    const save = async (): Promise<void> => {
      await this.#download(this.plan.minimum, minimum);
      await checkpoint?.save(writeCheckpoint(picks.subarray(0, done), minimum, agreement));
    };
    let saved = performance.now();
    while (done < wanted) {
      if (signal?.aborted === true) {
        if (checkpoint && done > 0) await save();
        signal.throwIfAborted();
      }
      const made = await (this.plan.rounds
        ? this.#round(this.plan.rounds, minimum, taken, wanted - done)
        : this.#series(wanted - done, 0));
      for (const pick of made) {
        picks[done++] = pick;
        taken[pick] = 1;
      }
      onPick?.(done, wanted);
      if (checkpoint && done < wanted && performance.now() - saved > checkpointInterval) {
        await save();
        saved = performance.now();
      }
    }
    await this.#download(this.plan.minimum, minimum);
    let square = 0;
    minimum.forEach((distance, row) => {
      if (taken[row] === 0 && distance > square) square = distance;
    });
    return { picks, radius: Math.sqrt(square) };
  }

  /** Picks among candidates while they are sure to be the farthest, then lowers all distances. Gives the rows picked. */
  async #round(
    { list, count }: NonNullable<SelectorPlan['rounds']>,
    minimum: Float32Array,
    taken: Uint8Array,
    wanted: number,
  ): Promise<Uint32Array> {
    const { rows, least } = farthest(minimum, taken, list.shape[0] ?? 1);
    const distances = new Float32Array(this.plan.state.minimum.shape[0] ?? 0).fill(takenMark);
    rows.forEach((row, index) => {
      distances[index] = minimum[row] ?? takenMark;
    });
    const named = new Uint32Array(list.shape[0] ?? 0).fill(noPick);
    named.set(rows);
    await this.#upload(list, named);
    await this.#upload(this.plan.state.minimum, distances);
    const made = (await this.#series(wanted, least)).map((place) => rows[place] ?? 0);
    await this.#upload(count, Uint32Array.of(made.length));
    this.programs.lower?.run(0, false);
    await this.#download(this.plan.minimum, minimum);
    return made;
  }

  /** Makes picks that are no nearer than `least` to the centres before them: their places among the points. */
  async #series(wanted: number, least: number): Promise<Uint32Array> {
    const { state } = this.plan;
    const limit = state.picks.shape[0] ?? 0;
    const head = new Uint32Array(8);
    head[3] = Math.min(wanted, limit);
    new Float32Array(head.buffer)[4] = least;
    await this.#upload(state.picks, new Uint32Array(limit).fill(noPick));
    await this.#upload(state.start, head);
    this.programs.pick.run(0, false);
    const places = new Uint32Array(limit);
    await this.#download(state.picks, places);
    const end = places.indexOf(noPick);
    if (end === 0) throw new Error('a series of the k-centre made no pick');
    return places.subarray(0, end < 0 ? limit : end);
  }

  async #upload({ name }: Tensor, data: Float32Array | Uint32Array): Promise<void> {
    await this.gpu.upload(this.#buffer(name), 0, data);
  }

  async #download({ name }: Tensor, target: Float32Array | Uint32Array): Promise<void> {
    await this.gpu.download(this.#buffer(name), 0, target);
  }

  #buffer(name: string): GPUBuffer {
    const known = this.pool.known(name);
    if (!known) throw new Error(`no parameter ${name}`);
    return known.memory.buffer;
  }

  destroy(): void {
    for (const program of Object.values(this.programs)) program?.destroy();
  }
}
