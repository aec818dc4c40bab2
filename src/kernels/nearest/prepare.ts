import type { BufferView, Lowering, Tensor } from '../../engine/graph.js';
import { foldWorkgroups } from '../../engine/kernel.js';
import normOfRowSource from './norm-of-row.wgsl';
import normsSource from './norms.wgsl';
import prepareSource from './prepare.wgsl';
import { rowView, type RowChunk } from './row-chunks.js';
import { bankSource, rowSums, type BankType } from './sources.js';
import transposeSource from './transpose.wgsl';
import turnQuerySource from './turn-query.wgsl';

/** A bank `[N, d]` as kernels bind it. */
export interface BoundBank {
  readonly tensor: Tensor;
  readonly type: BankType;
  readonly rowBytes: number;
  /** Rows that are bound together. */
  readonly chunks: readonly RowChunk[];
}

/** Queries `[count, d]` that are searched for together, and their columns `[d, width]`. */
export interface QueryColumns {
  readonly queries: BufferView;
  readonly count: number;
  readonly columns: Tensor;
  readonly width: number;
}

const originOf = ({ tensor, rowBytes }: BoundBank): BufferView => rowView(tensor, { first: 0, count: 1 }, rowBytes);

/** Computes ½|b − o|² of all rows. */
export function bankNorms(lowering: Lowering, bank: BoundBank, norms: Tensor): void {
  const { tensor, type, rowBytes, chunks } = bank;
  const { limits } = lowering.adapter;
  const elements = tensor.shape[1] ?? 0;
  const { lanes, source } = rowSums(lowering.adapter);
  for (const chunk of chunks) {
    lowering.dispatch({
      kernel: {
        name: `nearest/norms-${type}`,
        source: [bankSource[type], source, normOfRowSource, normsSource].join('\n'),
      },
      bindings: [rowView(tensor, chunk, rowBytes), originOf(bank), norms],
      parameters: { rows: chunk.count, vectors: elements / 4, first_row: chunk.first },
      workgroups: foldWorkgroups(Math.ceil((chunk.count * lanes) / 64), limits.maxComputeWorkgroupsPerDimension),
      flops: 2 * chunk.count * elements,
    });
  }
}

/** Writes o − q of all queries as columns. */
export function turnQueries(
  lowering: Lowering,
  bank: BoundBank,
  { queries, count, columns, width }: QueryColumns,
): void {
  const { type } = bank;
  const { limits } = lowering.adapter;
  const vectors = (bank.tensor.shape[1] ?? 0) / 4;
  lowering.dispatch({
    kernel: {
      name: `nearest/transpose-${type}`,
      source: [bankSource[type], turnQuerySource, transposeSource].join('\n'),
    },
    bindings: [queries, originOf(bank), columns],
    parameters: { queries: count, vectors, columns: width },
    workgroups: foldWorkgroups(Math.ceil((width * vectors) / 64), limits.maxComputeWorkgroupsPerDimension),
  });
}

/** Both at once, which saves hardware a dispatch; the whole bank must be bound together. */
export function prepareTogether(lowering: Lowering, bank: BoundBank, norms: Tensor, turned: QueryColumns): void {
  const { tensor, type } = bank;
  const { limits } = lowering.adapter;
  const [rows = 0, elements = 0] = tensor.shape;
  const vectors = elements / 4;
  const { lanes, source } = rowSums(lowering.adapter);
  const { queries, count, columns, width } = turned;
  const normGroups = Math.ceil((rows * lanes) / 64);
  const workgroups = normGroups + Math.ceil((width * vectors) / 64);
  lowering.dispatch({
    kernel: {
      name: `nearest/prepare-${type}`,
      source: [bankSource[type], source, normOfRowSource, turnQuerySource, prepareSource].join('\n'),
    },
    bindings: [tensor, originOf(bank), norms, queries, columns],
    parameters: { rows, vectors, first_row: 0, queries: count, columns: width, norm_groups: normGroups },
    workgroups: foldWorkgroups(workgroups, limits.maxComputeWorkgroupsPerDimension),
    flops: 2 * rows * elements,
  });
}
