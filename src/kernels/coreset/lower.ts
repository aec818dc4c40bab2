import type { AdapterProfile } from '../../engine/adapter.js';
import { foldWorkgroups, type Kernel } from '../../engine/kernel.js';
import type { Graph, Operator, Tensor, Variant } from '../../engine/graph.js';
import { unroll } from '../unroll.js';
import gatherSource from './gather.wgsl';
import registerSource from './lower-register.wgsl';
import sharedSource from './lower-shared.wgsl';
import subgroupSource from './lower-subgroup.wgsl';
import lowerSource from './lower.wgsl';
import { rangeView, rowGroup, rowRanges, type RowSet } from './rows.js';
import squaresSource from './squares.wgsl';

interface LowerVariant extends Variant {
  readonly pointsPerGroup: number;
  readonly kernel: Kernel;
}

const register: LowerVariant = {
  name: 'register',
  pointsPerGroup: rowGroup,
  kernel: { name: 'coreset/lower-register', source: [lowerSource, squaresSource, registerSource].join('\n') },
};

const shared: LowerVariant = {
  name: 'shared',
  pointsPerGroup: 64,
  kernel: {
    name: 'coreset/lower-shared',
    source: [lowerSource, squaresSource, unroll(sharedSource)].join('\n'),
  },
};

/** Centres that a subgroup shares out at a time, as in the nearest-neighbour search. */
const subgroupTile = 32;

const bySubgroupSize = new Map<number, LowerVariant>();

function subgroup(lanes: number): LowerVariant {
  let made = bySubgroupSize.get(lanes);
  if (!made) {
    const rows = subgroupTile / lanes;
    made = {
      name: 'subgroup',
      pointsPerGroup: 2 * lanes,
      kernel: {
        name: `coreset/lower-subgroup-${lanes}`,
        source: `${lowerSource}\n${unroll(subgroupSource, { ROWS: rows, LANES: lanes })}`,
        constants: { LANES: lanes, ROWS: rows },
        enables: ['subgroups'],
      },
    };
    bySubgroupSize.set(lanes, made);
  }
  return made;
}

/** Bytes of workgroup memory that `shared` takes. */
const sharedBytes = 4 * (64 + 130) * 16;

function lowerVariants({ class: kind, features, limits, subgroupSize: lanes }: AdapterProfile): {
  variants: LowerVariant[];
  preferred: LowerVariant;
} {
  const variants = [register];
  if (features.has('subgroups') && lanes !== undefined && lanes >= 4 && subgroupTile % lanes === 0) {
    variants.push(subgroup(lanes));
  }
  if (limits.maxComputeInvocationsPerWorkgroup >= 256 && limits.maxComputeWorkgroupStorageSize >= sharedBytes) {
    variants.push(shared);
  }
  const wanted = kind === 'hardware' ? 'shared' : 'subgroup';
  return { variants, preferred: variants.find(({ name }) => name === wanted) ?? register };
}

const lowerOperator: Operator<{ points: RowSet }> = {
  name: 'lower-distances',
  lower(node, lowering) {
    const [centres, count, minimum] = node.inputs;
    const { points } = node.attributes;
    if (!centres || !count || !minimum) throw new Error('lower-distances wants centres and distances');
    const { adapter } = lowering;
    const { variants, preferred } = lowerVariants(adapter);
    const variant = lowering.choose('lower-distances', `${points.rows}x${points.elements}`, variants, preferred);
    for (const range of rowRanges([points], adapter)) {
      const bytes = Math.ceil(range.count / rowGroup) * rowGroup * 4;
      lowering.dispatch({
        kernel: variant.kernel,
        bindings: [
          rangeView(points, range),
          centres,
          count,
          { tensor: minimum, offsetBytes: range.first * 4, sizeBytes: bytes },
        ],
        parameters: { points: range.count, vectors: points.elements / 4 },
        workgroups: foldWorkgroups(
          Math.ceil(range.count / variant.pointsPerGroup),
          adapter.limits.maxComputeWorkgroupsPerDimension,
        ),
        flops: 3 * range.count * points.elements * (centres.shape[0] ?? 0),
      });
    }
  },
};

/**
 * Lowers each point's squared distance to the nearest of `count` centres, if that is nearer than what it has.
 *
 * @param points in blocks, as {@link project} writes them.
 * @param centres `[most, elements]`, of which the first `count[0]` (u32, at least 1) are looked at.
 * @param minimum `[rows]`, updated in place.
 */
export function lowerDistances(graph: Graph, points: RowSet, centres: Tensor, count: Tensor, minimum: Tensor): void {
  graph.add(lowerOperator, [centres, count, minimum, ...points.tensors], { points }, [], [minimum]);
}

interface GatherAttributes {
  readonly points: RowSet;
  readonly target: Tensor;
  readonly asRows: boolean;
  readonly count: number;
}

const gatherOperator: Operator<GatherAttributes> = {
  name: 'gather-points',
  lower(node, lowering) {
    const [list] = node.inputs;
    const { points, target, asRows, count } = node.attributes;
    if (!list) throw new Error('gather-points wants a list');
    const vectors = points.elements / 4;
    const threads = (asRows ? count : Math.ceil(count / 64) * 64) * vectors;
    for (const range of rowRanges([points], lowering.adapter)) {
      lowering.dispatch({
        kernel: {
          name: `coreset/gather-${asRows ? 'rows' : 'blocks'}`,
          source: gatherSource,
          constants: { AS_ROWS: asRows },
        },
        bindings: [rangeView(points, range), list, target],
        parameters: { points: range.count, vectors, first_point: range.first, count },
        workgroups: foldWorkgroups(Math.ceil(threads / 64), lowering.adapter.limits.maxComputeWorkgroupsPerDimension),
      });
    }
  },
};

/**
 * Copies the points that `list` (u32, as many as it has) names into `target`, updated in place: in blocks of 64 like
 * theirs, or as rows. Numbers that name no point leave their place as it was.
 */
export function gatherPoints(graph: Graph, points: RowSet, list: Tensor, target: Tensor, asRows: boolean): void {
  const count = list.shape[0] ?? 0;
  graph.add(gatherOperator, [list, target, ...points.tensors], { points, target, asRows, count }, [], [target]);
}
