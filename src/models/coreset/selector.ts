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

/** Distance of a point that no centre has been measured to. */
const unmeasured = Math.fround(3.4e38);

/** Milliseconds between two checkpoints. */
const checkpointInterval = 30_000;

/** Points among which a round picks: as few as still give many picks a round (measured on uniform and on image features). */
const activePoints = 1024;

/** Most picks of a round. */
const roundPicks = 128;

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

/** Plans of a selection: project all rows once; then, round after round, gather, pick, and lower all distances. */
export interface SelectorPlan {
  readonly setting: SelectorSetting;
  readonly source: RowSet;
  readonly minimum: Tensor;
  readonly list: Tensor;
  readonly count: Tensor;
  /** State of the picks among the active points. */
  readonly state: KCentreState;
  readonly project: Plan;
  readonly pick: Plan;
  readonly lower: Plan;
}

const owner = 'coreset';

/** Plans the choice of centres among rows. Selectors on one pool share the memory of the points; make the larger first. */
export function planSelector(setting: SelectorSetting): SelectorPlan {
  const { source: name, rows, elements, projection, adapter } = setting;
  const size = projection.size;
  const points = (graph: Graph): RowSet => declareRows(graph, 'coreset points', rows, size, adapter, owner);
  const fitting = Math.floor(adapter.limits.maxStorageBufferBindingSize / (size * 4) / rowGroup) * rowGroup;
  const active = Math.min(activePoints, Math.max(rowGroup, fitting), Math.ceil(rows / rowGroup) * rowGroup);
  const picks = Math.min(roundPicks, active);

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

  // One round: the listed points into the active ones, picks among these, and their vectors as rows.
  const picking = new Graph(`${name} picks`);
  const all = points(picking);
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
    setting,
    source: declareRows(new Graph(name), name, rows, elements, adapter, owner),
    minimum,
    list,
    count,
    state,
    project: compile(projecting, { adapter }),
    pick: compile(picking, { adapter }),
    lower: compile(lowering, { adapter }),
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
 * Greedy k-centre over rows on the device, exact, in rounds. Distances to the centres only fall, so as long as the farthest
 * of the few thousand farthest points is no nearer than any other point was, it is the farthest of all: a round makes its
 * picks among those alone, one dispatch each and nothing read back, and then measures all points against the round's
 * centres at once, at the speed of a matrix product instead of that of memory.
 */
export class Selector {
  private constructor(
    readonly gpu: Gpu,
    readonly plan: SelectorPlan,
    private readonly pool: ParameterPool,
    private readonly programs: { readonly project: Program; readonly pick: Program; readonly lower: Program },
  ) {}

  static async create(gpu: Gpu, plan: SelectorPlan, pool: ParameterPool): Promise<Selector> {
    const made: Program[] = [];
    try {
      for (const each of [plan.project, plan.pick, plan.lower]) made.push(await Program.create(gpu, each, { pool }));
      const [projecting, picking, lowering] = made;
      if (!projecting || !picking || !lowering) throw new Error('three programs were made');
      return new Selector(gpu, plan, pool, { project: projecting, pick: picking, lower: lowering });
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
    const stored = readCheckpoint(await checkpoint?.load(), agreement);
    let done = stored?.picks.length ?? 0;
    if (stored) {
      picks.set(stored.picks);
      for (const pick of stored.picks) taken[pick] = 1;
      minimum.set(stored.minimum);
    }
    await this.#upload(this.plan.minimum, minimum);
    const save = async (): Promise<void> =>
      checkpoint?.save(writeCheckpoint(picks.subarray(0, done), minimum, agreement));
    let saved = performance.now();
    while (done < wanted) {
      if (signal?.aborted === true) {
        if (checkpoint && done > 0) await save();
        signal.throwIfAborted();
      }
      const candidates =
        done === 0 ? { rows: Uint32Array.of(first), least: 0 } : farthest(minimum, taken, this.plan.list.shape[0] ?? 1);
      const made = await this.#round(candidates, minimum, wanted - done);
      for (const pick of made) {
        picks[done++] = pick;
        taken[pick] = 1;
      }
      await this.#download(this.plan.minimum, minimum);
      onPick?.(done, wanted);
      if (checkpoint && done < wanted && performance.now() - saved > checkpointInterval) {
        await save();
        saved = performance.now();
      }
    }
    let square = 0;
    minimum.forEach((distance, row) => {
      if (taken[row] === 0 && distance > square) square = distance;
    });
    return { picks, radius: Math.sqrt(square) };
  }

  /** Picks among candidates while they are sure to be the farthest, then lowers all distances. Gives the rows picked. */
  async #round(
    candidates: { readonly rows: Uint32Array; readonly least: number },
    minimum: Float32Array,
    wanted: number,
  ): Promise<Uint32Array> {
    const { state, list, count } = this.plan;
    const limit = state.picks.shape[0] ?? 0;
    const distances = new Float32Array(state.minimum.shape[0] ?? 0).fill(-1);
    candidates.rows.forEach((row, index) => {
      distances[index] = minimum[row] ?? -1;
    });
    const head = new Uint32Array(8);
    head[3] = Math.min(wanted, limit);
    new Float32Array(head.buffer)[4] = candidates.least;
    const named = new Uint32Array(list.shape[0] ?? 0).fill(noPick);
    named.set(candidates.rows);
    await this.#upload(list, named);
    await this.#upload(state.minimum, distances);
    await this.#upload(state.picks, new Uint32Array(limit).fill(noPick));
    await this.#upload(state.start, head);
    this.programs.pick.run(0, false);
    const places = new Uint32Array(limit);
    await this.#download(state.picks, places);
    const end = places.indexOf(noPick);
    const made = places.subarray(0, end < 0 ? limit : end).map((place) => candidates.rows[place] ?? 0);
    if (made.length === 0) throw new Error('a round of the k-centre made no pick');
    await this.#upload(count, Uint32Array.of(made.length));
    this.programs.lower.run(0, false);
    return made;
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
    for (const program of Object.values(this.programs)) program.destroy();
  }
}
