import type { AdapterProfile } from '../../engine/adapter.js';
import { TilesightError } from '../../engine/errors.js';
import type { BufferView, Graph, Tensor } from '../../engine/graph.js';
import { formatBytes } from '../../engine/memory.js';

/** Points that a workgroup of the k-centre takes at a time; rows are stored in whole groups of so many. */
export const rowGroup = 256;

/** A matrix that may pass what one buffer holds: rows of all tensors follow each other. */
export interface RowSet {
  /** `[rowsPerTensor, elements]` f32 each; the last ones' unused rows are never looked at. */
  readonly tensors: readonly Tensor[];
  readonly rows: number;
  readonly rowsPerTensor: number;
  readonly elements: number;
}

/** How many rows of so many f32 elements go into one tensor, a multiple of {@link rowGroup}. */
export function rowsPerTensor(rows: number, elements: number, { limits }: AdapterProfile): number {
  const fit = Math.floor(limits.maxBufferSize / (elements * 4) / rowGroup) * rowGroup;
  if (fit === 0) {
    throw new TilesightError(
      'memory',
      `${rowGroup} rows of ${elements} numbers pass what a buffer of this device holds, ${formatBytes(limits.maxBufferSize)}`,
    );
  }
  return Math.min(fit, Math.ceil(rows / rowGroup) * rowGroup);
}

/** Declares a matrix as parameters `<name> 0`, `<name> 1`, …; graphs on one pool that use the same name share it. */
export function declareRows(
  graph: Graph,
  name: string,
  rows: number,
  elements: number,
  adapter: AdapterProfile,
  owner: string,
): RowSet {
  const each = rowsPerTensor(rows, elements, adapter);
  const tensors = Array.from({ length: Math.ceil(rows / each) }, (_, index) =>
    graph.parameter(`${name} ${index}`, [each, elements], { owner }),
  );
  return { tensors, rows, rowsPerTensor: each, elements };
}

/** Rows that lie together and fit one binding of each of several matrices. */
export interface RowRange {
  readonly first: number;
  readonly count: number;
}

/** Cuts the rows of matrices into ranges that lie in one tensor and fit one binding of each. */
export function rowRanges(sets: readonly RowSet[], { limits }: AdapterProfile): RowRange[] {
  const rows = sets[0]?.rows ?? 0;
  const fit = Math.min(
    ...sets.map((set) => Math.floor(limits.maxStorageBufferBindingSize / (set.elements * 4) / rowGroup) * rowGroup),
  );
  if (fit < rowGroup) {
    throw new TilesightError(
      'memory',
      `${rowGroup} rows of ${Math.max(...sets.map((set) => set.elements))} numbers pass what the device binds, ` +
        formatBytes(limits.maxStorageBufferBindingSize),
    );
  }
  const ranges: RowRange[] = [];
  for (let first = 0; first < rows;) {
    const ends = sets.map((set) => (Math.floor(first / set.rowsPerTensor) + 1) * set.rowsPerTensor);
    const count = Math.min(fit, rows - first, ...ends.map((end) => end - first));
    ranges.push({ first, count });
    first += count;
  }
  return ranges;
}

/** The memory of a range of rows; whole groups, so that kernels may read past the last row. */
export function rangeView({ tensors, rowsPerTensor: each, elements }: RowSet, { first, count }: RowRange): BufferView {
  const tensor = tensors[Math.floor(first / each)];
  if (!tensor) throw new Error(`no tensor holds row ${first}`);
  const rows = Math.min(Math.ceil(count / rowGroup) * rowGroup, each - (first % each));
  return { tensor, offsetBytes: (first % each) * elements * 4, sizeBytes: rows * elements * 4 };
}
