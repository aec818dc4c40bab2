import type { AdapterProfile } from '../../engine/adapter.js';
import type { Graph, Operator, Tensor } from '../../engine/graph.js';
import type { Kernel } from '../../engine/kernel.js';
import { unroll } from '../unroll.js';
import source from './k-centre.wgsl';
import { rangeView, rowGroup, rowRanges, type RowRange, type RowSet } from './rows.js';

/** What the greedy k-centre keeps on the device between its steps. */
export interface KCentreState {
  /** `[rows]`: squared distance of each point to the nearest centre, −1 for centres and for rows to leave out. */
  readonly minimum: Tensor;
  /**
   * `[2, 4]` u32, what a series begins with, from the host: 0, 0, 0, picks wanted; least distance of a pick as f32, 0, 0, 0.
   */
  readonly start: Tensor;
  /** Two sets of records `[records, vectors + 2, 4]` u32; see the kernel. Steps read one and write the other in turn. */
  readonly records: readonly [Tensor, Tensor];
  /** `[wanted]` u32: the centres in the order in which they were taken; the others stay as they were. */
  readonly picks: Tensor;
}

/** Most workgroups of one step: enough to fill the device, few enough to be searched by each. */
function workgroupLimit(adapter: AdapterProfile): number {
  return adapter.class === 'hardware' ? 1024 : 64;
}

interface Share extends RowRange {
  readonly workgroups: number;
}

function shares(points: RowSet, adapter: AdapterProfile): Share[] {
  const ranges = rowRanges([points], adapter);
  const limit = workgroupLimit(adapter);
  return ranges.map((range) => ({
    ...range,
    workgroups: Math.min(
      Math.ceil(range.count / rowGroup),
      Math.max(1, Math.floor((limit * range.count) / points.rows)),
    ),
  }));
}

/** Declares the state of a k-centre over `points` that takes at most `wanted` centres; parameters named after `name`. */
export function declareKCentre(
  graph: Graph,
  name: string,
  points: RowSet,
  wanted: number,
  adapter: AdapterProfile,
  owner: string,
): KCentreState {
  const records = shares(points, adapter).reduce((sum, share) => sum + share.workgroups, 0);
  const shape = [records, points.elements / 4 + 2, 4];
  const record = (which: string): Tensor => graph.parameter(`${name} records ${which}`, shape, { owner, dtype: 'u32' });
  return {
    minimum: graph.parameter(`${name} minimum`, [Math.ceil(points.rows / rowGroup) * rowGroup], { owner }),
    start: graph.parameter(`${name} start`, [2, 4], { owner, dtype: 'u32' }),
    records: [record('a'), record('b')],
    picks: graph.parameter(`${name} picks`, [wanted], { owner, dtype: 'u32' }),
  };
}

/** The kernels of a series' first dispatch and of its steps. */
function stepKernels({ class: kind }: AdapterProfile): { readonly start: Kernel; readonly step: Kernel } {
  const blocks = kind === 'hardware' ? 1 : 4;
  const constants = { BLOCKS: blocks, THREADS: rowGroup / blocks };
  const written = unroll(source, constants);
  const kernel = (name: string, start: boolean): Kernel => ({
    name: `coreset/${name}-${blocks}`,
    source: written,
    constants: { ...constants, START: start },
  });
  return { start: kernel('k-centre-start', true), step: kernel('k-centre', false) };
}

interface StepAttributes {
  readonly points: RowSet;
  readonly steps: number;
}

const kCentreOperator: Operator<StepAttributes> = {
  name: 'k-centre',
  lower(node, lowering) {
    const [minimum, begin, a, b, picks] = node.inputs;
    const { points, steps } = node.attributes;
    if (!minimum || !begin || !a || !b || !picks) throw new Error('k-centre wants its state');
    const cut = shares(points, lowering.adapter);
    const groups = cut.reduce((sum, share) => sum + share.workgroups, 0);
    const kernels = stepKernels(lowering.adapter);
    for (let step = -1; step < steps; step++) {
      const start = step < 0;
      const [before, after] = step % 2 === 0 ? [b, a] : [a, b];
      let firstGroup = 0;
      for (const share of cut) {
        const bytes = Math.ceil(share.count / rowGroup) * rowGroup * 4;
        lowering.dispatch({
          kernel: start ? kernels.start : kernels.step,
          bindings: [
            rangeView(points, share),
            { tensor: minimum, offsetBytes: share.first * 4, sizeBytes: bytes },
            start ? begin : before,
            after,
            picks,
          ],
          parameters: {
            points: share.count,
            vectors: points.elements / 4,
            first_point: share.first,
            first_group: firstGroup,
            groups,
          },
          workgroups: [share.workgroups, 1, 1],
          flops: start ? 0 : 3 * share.count * points.elements,
        });
        firstGroup += share.workgroups;
      }
    }
  },
};

/**
 * Appends a series of at most `steps` picks of the greedy k-centre: each takes the point that is farthest from all centres so
 * far as the next centre. One dispatch a pick and chunk of the points; nothing comes back to the host.
 *
 * @param points in the layout that {@link project} writes.
 */
export function kCentreSteps(graph: Graph, points: RowSet, state: KCentreState, steps: number): void {
  const { minimum, start, records, picks } = state;
  const updates = [minimum, ...records, picks];
  graph.add(kCentreOperator, [minimum, start, ...records, picks, ...points.tensors], { points, steps }, [], updates);
}
