import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { usage, type DeviceBuffer, type Gpu } from '../../engine/gpu.js';
import { ParameterPool } from '../../engine/program.js';
import type { RowSet } from '../../kernels/coreset/rows.js';
import type { CheckpointStore, FitProgress } from '../anomaly-model.js';
import type { CoresetPlan } from './plan.js';
import { Selector } from './selector.js';

/** How a choice is watched and stopped. */
export interface CoresetWatch {
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((progress: FitProgress) => void) | undefined;
  readonly checkpoint: CheckpointStore | undefined;
}

/** A chosen coreset. */
export interface Coreset {
  /** `[wanted, elements]`, in the order in which they were taken. */
  readonly vectors: Float32Array;
  /** Which of all rows they are, counted in the order in which they were appended. */
  readonly indices: Uint32Array;
  /**
   * How far the farthest row of the last choice is from the coreset, in the projection. Of a streaming coreset it leaves
   * out the rows that their blocks dropped.
   */
  readonly radius: number;
}

/**
 * Takes rows that lie on the device, in order, and chooses a coreset of them: collects all, or reduces block after block.
 * Made once, used for one set of rows after the other.
 */
export class CoresetBuilder {
  /** Rows appended so far, and rows that are kept for the last choice. */
  #seen = 0;
  #kept = 0;
  /** Rows in the current block. */
  #filled = 0;
  /** Which row each kept one is. */
  #origins: Uint32Array;

  private constructor(
    readonly gpu: Gpu,
    readonly plan: CoresetPlan,
    private readonly pool: ParameterPool,
    private readonly final: Selector,
    private readonly first: Selector | undefined,
    private readonly gather: DeviceBuffer,
  ) {
    this.#origins = new Uint32Array(plan.kept);
  }

  static async create(gpu: Gpu, plan: CoresetPlan): Promise<CoresetBuilder> {
    const pool = new ParameterPool(gpu);
    const made: { destroy(): void }[] = [pool];
    try {
      const final = await Selector.create(gpu, plan.final, pool);
      made.push(final);
      const first = plan.first && (await Selector.create(gpu, plan.first, pool));
      if (first) made.push(first);
      const bytes = plan.gatherRows * plan.setting.elements * 4;
      const gather = gpu.allocate(bytes, 'coreset', 'chosen rows', usage.copySource | usage.copyDestination);
      return new CoresetBuilder(gpu, plan, pool, final, first, gather);
    } catch (error) {
      for (const part of made.reverse()) part.destroy();
      throw error;
    }
  }

  /** Forgets all rows. */
  reset(): void {
    this.#seen = 0;
    this.#kept = 0;
    this.#filled = 0;
  }

  /** Appends rows that lie behind each other in a device buffer, behind everything submitted so far. */
  async append(source: GPUBuffer, firstRow: number, rows: number, watch: CoresetWatch): Promise<void> {
    if (this.#seen + rows > this.plan.setting.rows) throw new Error('more rows than the coreset was planned for');
    const target = this.#target();
    for (let done = 0; done < rows;) {
      const at = this.#filled;
      const count = Math.min(rows - done, target.rows - at, target.rowsPerTensor - (at % target.rowsPerTensor));
      const bytes = target.elements * 4;
      const to = this.#rowAddress(target, at);
      const encoder = this.gpu.device.createCommandEncoder({ label: 'append rows' });
      encoder.copyBufferToBuffer(source, (firstRow + done) * bytes, to.buffer, to.offset, count * bytes);
      this.gpu.submit(encoder);
      this.#filled += count;
      this.#seen += count;
      done += count;
      if (this.first && this.#filled === target.rows) await this.#reduceBlock(watch);
    }
  }

  /** Appends rows of the host. */
  async appendHost(vectors: Float32Array, watch: CoresetWatch): Promise<void> {
    const { elements } = this.plan.setting;
    const target = this.#target();
    for (let row = 0; row < vectors.length / elements;) {
      const at = this.#filled;
      const room = Math.min(target.rows - at, target.rowsPerTensor - (at % target.rowsPerTensor));
      const count = Math.min(vectors.length / elements - row, room);
      const to = this.#rowAddress(target, at);
      await this.gpu.upload(to.buffer, to.offset, vectors.subarray(row * elements, (row + count) * elements));
      this.#filled += count;
      this.#seen += count;
      row += count;
      if (this.first && this.#filled === target.rows) await this.#reduceBlock(watch);
    }
  }

  /** Chooses the coreset among the rows appended since the last {@link reset}. */
  async finish(watch: CoresetWatch): Promise<Coreset> {
    const { plan } = this;
    if (this.#seen !== plan.setting.rows) throw new Error(`${this.#seen} rows of ${plan.setting.rows} were appended`);
    if (this.first) {
      if (this.#filled > 0) await this.#reduceBlock(watch);
    } else {
      for (let row = 0; row < plan.kept; row++) this.#origins[row] = row;
      this.#kept = plan.kept;
    }
    const { picks, radius } = await this.final.select({
      rows: this.#kept,
      wanted: plan.wanted,
      first: this.#firstOf(this.#kept),
      signal: watch.signal,
      checkpoint: watch.checkpoint,
      onPick: (done, total) => watch.onProgress?.({ stage: 'coreset', done, total }),
    });
    const vectors = await this.#read(picks);
    return { vectors, indices: picks.map((row) => this.#origins[row] ?? 0), radius };
  }

  /** Keeps the block's share of centres. Shares follow the rows seen, so that all blocks together fill what is kept. */
  async #reduceBlock(watch: CoresetWatch): Promise<void> {
    const { plan, first } = this;
    if (!first) throw new Error('an exact coreset has no blocks');
    const rows = this.#filled;
    const due = Math.floor((plan.kept * this.#seen) / plan.setting.rows) - this.#kept;
    const wanted = Math.min(due, rows);
    const origin = this.#seen - rows;
    this.#filled = 0;
    if (wanted === 0) return;
    const { picks } = await first.select({
      rows,
      wanted,
      first: this.#firstOf(rows),
      signal: watch.signal,
      checkpoint: undefined,
      onPick: undefined,
    });
    const bytes = plan.setting.elements * 4;
    const encoder = this.gpu.device.createCommandEncoder({ label: 'keep rows' });
    for (const row of picks) {
      const from = this.#rowAddress(first.plan.source, row);
      const to = this.#rowAddress(this.final.plan.source, this.#kept);
      encoder.copyBufferToBuffer(from.buffer, from.offset, to.buffer, to.offset, bytes);
      this.#origins[this.#kept] = origin + row;
      this.#kept += 1;
    }
    this.gpu.submit(encoder);
    watch.onProgress?.({ stage: 'coreset blocks', done: this.#seen, total: plan.setting.rows });
  }

  /** Copies rows to the host. */
  async #read(picks: Uint32Array): Promise<Float32Array> {
    const { gatherRows, setting } = this.plan;
    const bytes = setting.elements * 4;
    const vectors = new Float32Array(picks.length * setting.elements);
    for (let start = 0; start < picks.length; start += gatherRows) {
      const some = picks.subarray(start, start + gatherRows);
      const encoder = this.gpu.device.createCommandEncoder({ label: 'gather rows' });
      some.forEach((row, index) => {
        const from = this.#rowAddress(this.final.plan.source, row);
        encoder.copyBufferToBuffer(from.buffer, from.offset, this.gather.buffer, index * bytes, bytes);
      });
      this.gpu.submit(encoder);
      const target = vectors.subarray(start * setting.elements, (start + some.length) * setting.elements);
      await this.gpu.download(this.gather.buffer, 0, target);
    }
    return vectors;
  }

  /** The seeded first row of a choice. */
  #firstOf(rows: number): number {
    return uniformInt(xoroshiro128plus(this.plan.setting.seed), 0, rows - 1);
  }

  #target(): RowSet {
    return (this.first ?? this.final).plan.source;
  }

  #rowAddress({ tensors, rowsPerTensor, elements }: RowSet, row: number): { buffer: GPUBuffer; offset: number } {
    const tensor = tensors[Math.floor(row / rowsPerTensor)];
    const known = tensor && this.pool.known(tensor.name);
    if (!known) throw new Error(`no memory holds row ${row}`);
    return { buffer: known.memory.buffer, offset: (row % rowsPerTensor) * elements * 4 };
  }

  destroy(): void {
    this.gather.destroy();
    this.first?.destroy();
    this.final.destroy();
    this.pool.destroy();
  }
}
