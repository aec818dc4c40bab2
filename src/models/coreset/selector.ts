import type { AdapterProfile } from '../../engine/adapter.js';
import type { Gpu } from '../../engine/gpu.js';
import { Graph } from '../../engine/graph.js';
import { compile, type Plan } from '../../engine/plan.js';
import { ParameterPool, Program } from '../../engine/program.js';
import type { HostTensor, NamedTensors } from '../../engine/tensor.js';
import { declareKCentre, kCentreSteps, type KCentreState } from '../../kernels/coreset/k-centre.js';
import { project } from '../../kernels/coreset/project.js';
import { declareRows, type RowSet } from '../../kernels/coreset/rows.js';
import type { CheckpointStore } from '../anomaly-model.js';
import type { SparseMatrix } from './projection.js';

/** Distance of a point that no centre has been measured to. */
const unmeasured = Math.fround(3.4e38);

/** Milliseconds between two checkpoints. */
const checkpointInterval = 30_000;

/** What a selector is made for. */
export interface SelectorSetting {
  /** Name of the rows' parameters in the pool. */
  readonly source: string;
  /** Rows that there is room for. */
  readonly rows: number;
  readonly elements: number;
  /** Most picks of one selection. */
  readonly wanted: number;
  readonly projection: SparseMatrix;
  readonly adapter: AdapterProfile;
}

/** Plans of a selection: project all rows once, then many times a number of picks. */
export interface SelectorPlan {
  readonly setting: SelectorSetting;
  readonly source: RowSet;
  readonly points: RowSet;
  readonly state: KCentreState;
  readonly project: Plan;
  readonly steps: Plan;
  readonly stepsPerRun: number;
}

/** Plans the choice of centres among rows. Selectors on one pool share the memory of `points`, the larger made first. */
export function planSelector(setting: SelectorSetting): SelectorPlan {
  const { source: name, rows, elements, wanted, projection, adapter } = setting;
  const owner = 'coreset';
  const first = new Graph(`${name} projection`);
  const table = (title: string, data: Float32Array) =>
    first.parameter(title, [data.length], { dtype: 'u32', owner, contents: () => ({ shape: [data.length], data }) });
  project(
    first,
    declareRows(first, name, rows, elements, adapter, owner),
    {
      size: projection.size,
      starts: table('projection starts', projection.starts),
      entries: table('projection entries', projection.entries),
      scale: projection.scale,
    },
    declareRows(first, 'coreset points', rows, projection.size, adapter, owner),
  );
  const graph = new Graph(`${name} centres`);
  const points = declareRows(graph, 'coreset points', rows, projection.size, adapter, owner);
  const state = declareKCentre(graph, name, points, wanted, adapter, owner);
  const stepsPerRun = runLength(rows * projection.size, adapter);
  kCentreSteps(graph, points, state, stepsPerRun);
  const source = declareRows(new Graph(name), name, rows, elements, adapter, owner);
  return {
    setting,
    source,
    points,
    state,
    project: compile(first, { adapter }),
    steps: compile(graph, { adapter }),
    stepsPerRun,
  };
}

/** Picks a submit: some tenths of a second, so that a run can be interrupted and tells how far it is. */
function runLength(numbers: number, adapter: AdapterProfile): number {
  const each = adapter.class === 'hardware' ? 2e10 : 5e8;
  return Math.max(2, Math.min(64, 2 * Math.round(each / numbers / 2)));
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

/** Greedy k-centre over rows on the device. */
export class Selector {
  private constructor(
    readonly gpu: Gpu,
    readonly plan: SelectorPlan,
    private readonly pool: ParameterPool,
    private readonly project: Program,
    private readonly steps: Program,
  ) {}

  static async create(gpu: Gpu, plan: SelectorPlan, pool: ParameterPool): Promise<Selector> {
    const projection = await Program.create(gpu, plan.project, { pool });
    try {
      return new Selector(gpu, plan, pool, projection, await Program.create(gpu, plan.steps, { pool }));
    } catch (error) {
      projection.destroy();
      throw error;
    }
  }

  async select(selection: Selection): Promise<Selected> {
    const { wanted, signal, onPick, checkpoint } = selection;
    this.project.run(0, false);
    let done = await this.#begin(selection);
    let saved = performance.now();
    let before = Promise.resolve();
    while (done < wanted) {
      signal?.throwIfAborted();
      this.steps.run(0, false);
      // The device computes this run while the host waits for the one before.
      const submitted = this.gpu.idle('coreset');
      await before;
      before = submitted;
      done = Math.min(wanted, done + this.plan.stepsPerRun);
      onPick?.(done, wanted);
      if (checkpoint && done < wanted && performance.now() - saved > checkpointInterval) {
        await checkpoint.save(await this.#state(selection, done));
        saved = performance.now();
      }
    }
    await before;
    return { picks: (await this.#picks()).slice(0, wanted), radius: await this.#radius(wanted) };
  }

  /** Sets the state for the first pick, or for the one after those of a checkpoint; gives the number of picks made. */
  async #begin(selection: Selection): Promise<number> {
    const { rows, wanted, first, checkpoint } = selection;
    const stored = fitting(await checkpoint?.load(), selection, this.plan);
    const { state, points } = this.plan;
    const minimum = new Float32Array(state.minimum.shape[0] ?? 0).fill(-1);
    if (stored) minimum.set(stored.minimum);
    else minimum.fill(unmeasured, 0, rows);
    await this.gpu.upload(this.#buffer(state.minimum.name), 0, minimum);
    const done = stored?.picks.length ?? 0;
    if (stored) await this.gpu.upload(this.#buffer(state.picks.name), 0, stored.picks);

    // The next step takes up the pick of record 0: the first row, or again the last pick made, which changes nothing.
    const centre = stored?.picks.at(-1) ?? first;
    const [records = 0, vectors = 1] = state.records[0].shape;
    const heads = new Uint32Array(records * vectors * 4);
    const floats = new Float32Array(heads.buffer);
    for (let record = 0; record < records; record++) {
      const head = record * vectors * 4;
      floats[head] = record === 0 ? unmeasured : -2;
      heads[head + 1] = record === 0 ? centre : 0xffffffff;
      heads[head + 2] = Math.max(0, done - 1);
      heads[head + 3] = wanted;
    }
    await this.gpu.upload(this.#buffer(state.records[0].name), 0, heads);
    const tensor = points.tensors[Math.floor(centre / points.rowsPerTensor)];
    if (!tensor) throw new Error(`no points hold row ${centre}`);
    const from = this.#buffer(tensor.name);
    const to = this.#buffer(state.records[0].name);
    const local = centre % points.rowsPerTensor;
    const encoder = this.gpu.device.createCommandEncoder({ label: 'first centre' });
    for (let k = 0; k < vectors - 1; k++) {
      const offset = ((Math.floor(local / 64) * (vectors - 1) + k) * 64 + (local % 64)) * 16;
      encoder.copyBufferToBuffer(from, offset, to, (k + 1) * 16, 16);
    }
    this.gpu.submit(encoder);
    return Math.max(0, done - 1);
  }

  async #state(selection: Selection, done: number): Promise<NamedTensors> {
    const minimum = new Float32Array(selection.rows);
    await this.gpu.download(this.#buffer(this.plan.state.minimum.name), 0, minimum);
    const picks = (await this.#picks()).subarray(0, done);
    const halves = new Float32Array(2 * done);
    picks.forEach((pick, index) => {
      halves[2 * index] = pick >>> 16;
      halves[2 * index + 1] = pick & 0xffff;
    });
    return new Map<string, HostTensor>([
      ['coreset.setting', { shape: [5], data: identity(selection, this.plan) }],
      ['coreset.picks', { shape: [done, 2], data: halves }],
      ['coreset.minimum', { shape: [minimum.length], data: minimum }],
    ]);
  }

  async #picks(): Promise<Uint32Array> {
    const { picks } = this.plan.state;
    const target = new Uint32Array(picks.shape[0] ?? 0);
    await this.gpu.download(this.#buffer(picks.name), 0, target);
    return target;
  }

  async #radius(wanted: number): Promise<number> {
    const { records } = this.plan.state;
    const [count = 0, vectors = 1] = records[0].shape;
    let square = 0;
    for (const { name } of records) {
      const words = new Uint32Array(count * vectors * 4);
      await this.gpu.download(this.#buffer(name), 0, words);
      const floats = new Float32Array(words.buffer);
      for (let head = 0; head < words.length; head += vectors * 4) {
        if (words[head + 2] === wanted) square = Math.max(square, floats[head] ?? 0);
      }
    }
    return Math.sqrt(square);
  }

  #buffer(name: string): GPUBuffer {
    const known = this.pool.known(name);
    if (!known) throw new Error(`no parameter ${name}`);
    return known.memory.buffer;
  }

  destroy(): void {
    this.project.destroy();
    this.steps.destroy();
  }
}

/** What a checkpoint must agree in to be of use. */
function identity({ rows, wanted, first }: Selection, { setting }: SelectorPlan): Float32Array {
  return Float32Array.of(rows, wanted, first, setting.elements, setting.projection.size);
}

function fitting(
  stored: NamedTensors | undefined,
  selection: Selection,
  plan: SelectorPlan,
): { picks: Uint32Array; minimum: Float32Array } | undefined {
  const setting = stored?.get('coreset.setting')?.data;
  const halves = stored?.get('coreset.picks')?.data;
  const minimum = stored?.get('coreset.minimum')?.data;
  if (!setting || !halves || minimum?.length !== selection.rows || halves.length < 2) return undefined;
  if (identity(selection, plan).some((value, index) => value !== setting[index])) return undefined;
  const picks = Uint32Array.from(
    { length: halves.length / 2 },
    (_, index) => (halves[2 * index] ?? 0) * 65_536 + (halves[2 * index + 1] ?? 0),
  );
  return picks.every((pick) => pick < selection.rows) ? { picks, minimum } : undefined;
}
