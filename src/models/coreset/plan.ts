import type { AdapterProfile } from '../../engine/adapter.js';
import { TilesightError } from '../../engine/errors.js';
import type { Tensor } from '../../engine/graph.js';
import { allocationSize, formatBytes } from '../../engine/memory.js';
import { byteLength } from '../../engine/tensor.js';
import { rowGroup } from '../../kernels/coreset/rows.js';
import { coresetProjection, type SparseMatrix } from './projection.js';
import { planSelector, type SelectorPlan } from './selector.js';

/** Device memory through which chosen rows leave, in bytes. */
const gatherBytes = 2 ** 20;

/** Rows kept of the blocks, as a multiple of the centres wanted, below which the centres are made fewer instead. */
const leastSurplus = 1.25;

/** What a coreset is chosen from and within. */
export interface CoresetSetting {
  /** Rows in all. */
  readonly rows: number;
  readonly elements: number;
  /** Rows to choose. */
  readonly wanted: number;
  readonly seed: number;
  readonly adapter: AdapterProfile;
  /** Device bytes that choosing may take. */
  readonly budgetBytes: number;
  /** Choose among the rows themselves, not in a random projection. Default false. */
  readonly unprojected?: boolean;
}

/**
 * How a coreset will be chosen. `exact`: all rows are on the device at once. `streaming`: the rows come in blocks; of each
 * block the greedy choice of a share is kept, and the coreset is the greedy choice among what was kept of all blocks
 * (merge and reduce, one level). A block's share is larger than the coreset's, so the second choice has room.
 */
export interface CoresetPlan {
  readonly kind: 'exact' | 'streaming';
  readonly setting: CoresetSetting;
  /** Rows that the coreset will have: fewer than wanted where even they do not fit the budget. */
  readonly wanted: number;
  /** Rows that are kept for the last choice: all, or those of all blocks. */
  readonly kept: number;
  /** Rows of a block; 0 when exact. */
  readonly block: number;
  readonly final: SelectorPlan;
  readonly first: SelectorPlan | undefined;
  /** Rows that leave the device at a time. */
  readonly gatherRows: number;
  readonly bytes: number;
  readonly notes: readonly string[];
}

/**
 * Decides how a coreset is chosen within a budget, without a device: exact where the rows fit, else streaming. Where nothing
 * fits, the least that is possible: see {@link checkCoresetFits}.
 */
export function planCoreset(setting: CoresetSetting): CoresetPlan {
  const { rows, wanted, budgetBytes } = setting;
  if (!(wanted >= 1 && wanted <= rows)) {
    throw new TilesightError('usage', `a coreset of ${wanted} of ${rows} vectors: ask for 1 to ${rows}`);
  }
  const projection = coresetProjection(setting.unprojected ? Infinity : rows, setting.elements, setting.seed);
  const exact = layOut(setting, projection, rows, 0);
  if (exact.bytes <= budgetBytes) return exact;
  // What is kept takes 4/5 of the rows' room, a block 1/5; found by halving, as bytes grow with the rows.
  let low = 0;
  let high = Math.ceil(rows / rowGroup);
  const fits = (groups: number): CoresetPlan | undefined => {
    const plan = layOut(setting, projection, groups * rowGroup, Math.max(rowGroup, Math.ceil(groups / 4) * rowGroup));
    return plan.bytes <= budgetBytes ? plan : undefined;
  };
  let best: CoresetPlan | undefined;
  while (low + 1 < high) {
    const middle = Math.floor((low + high) / 2);
    const plan = fits(middle);
    if (plan) [low, best] = [middle, plan];
    else high = middle;
  }
  return best ?? layOut(setting, projection, rowGroup, rowGroup);
}

/** Refuses a plan that does not fit its budget. */
export function checkCoresetFits({ bytes, setting }: CoresetPlan): void {
  const { wanted, elements, budgetBytes } = setting;
  if (bytes <= budgetBytes) return;
  throw new TilesightError(
    'memory',
    `choosing ${wanted} vectors of ${elements} numbers takes at least ${formatBytes(bytes)}, and ` +
      `${formatBytes(Math.max(0, budgetBytes))} are left of the budget: use a smaller tile or batch, or a larger --memory`,
  );
}

function layOut(setting: CoresetSetting, projection: SparseMatrix, kept: number, block: number): CoresetPlan {
  const { rows, elements, adapter } = setting;
  const streaming = block > 0;
  const wanted = streaming ? Math.min(setting.wanted, Math.floor(kept / leastSurplus)) : setting.wanted;
  const common = { elements, projection, adapter };
  const final = planSelector({ ...common, source: 'coreset rows', rows: kept });
  const first = streaming ? planSelector({ ...common, source: 'coreset block', rows: block }) : undefined;
  const gatherRows = Math.max(1, Math.min(wanted, Math.floor(gatherBytes / (elements * 4))));
  const bytes = selectorBytes(first ? [final, first] : [final]) + allocationSize(gatherRows * elements * 4);
  const notes: string[] = [];
  if (streaming) {
    notes.push(
      `streaming coreset: ${Math.ceil(rows / block)} blocks of ${block} vectors, the best ${kept} of all ${rows} kept ` +
        `for the last choice (an exact choice would take ${formatBytes(rows * (elements + projection.size + 1) * 4)})`,
    );
  } else notes.push('exact coreset');
  if (wanted < setting.wanted) {
    notes.push(`the bank has ${wanted} vectors instead of ${setting.wanted}: more do not fit the budget`);
  }
  return {
    kind: streaming ? 'streaming' : 'exact',
    setting,
    wanted,
    kept,
    block,
    final,
    first,
    gatherRows,
    bytes,
    notes,
  };
}

/** Device bytes of selectors that share a pool: every parameter once, at its largest. */
function selectorBytes(plans: readonly SelectorPlan[]): number {
  const parameters = new Map<string, number>();
  let rest = 0;
  const count = ({ name, shape, dtype }: Tensor): void => {
    const bytes = allocationSize(byteLength(shape, dtype));
    parameters.set(name, Math.max(bytes, parameters.get(name) ?? 0));
  };
  for (const { project, pick, rounds } of plans) {
    for (const plan of [project, pick, ...(rounds ? [rounds.lower] : [])]) {
      plan.parameters.forEach(count);
      rest += plan.bytes.total - plan.bytes.parameters;
    }
  }
  return rest + [...parameters.values()].reduce((sum, bytes) => sum + bytes, 0);
}
