import { TilesightError } from '../../engine/errors.js';
import { foldWorkgroups } from '../../engine/kernel.js';
import type { BufferView, Graph, Lowering, Operator, Tensor } from '../../engine/graph.js';
import { formatBytes } from '../../engine/memory.js';
import { bytesPerElement } from '../../engine/tensor.js';
import finishSource from './finish.wgsl';
import listSource from './list.wgsl';
import mergeSource from './merge.wgsl';
import normsSource from './norms.wgsl';
import refineSource from './refine.wgsl';
import transposeSource from './transpose.wgsl';
import { bankSource, searchVariants, type BankType, type SearchVariant } from './variants.js';

/** Most neighbours that a search gives. */
export const maximumNeighbours = 16;

/** Members of a list beyond the neighbours asked for: room for what the ranking's rounding puts in the wrong order. */
const spareMembers = 3;

/** Chunks begin at multiples of so many rows, which keeps every binding's offset aligned. */
const rowGrain = 64;

/** Rows of a matrix that are bound together. */
export interface RowChunk {
  readonly first: number;
  readonly count: number;
}

/** Cuts rows into chunks that fit one binding. */
export function rowChunks(rows: number, bytesPerRow: number, limit: number, what: string): RowChunk[] {
  const whole = Math.floor(limit / bytesPerRow / rowGrain) * rowGrain;
  if (whole === 0 && rows * bytesPerRow > limit) {
    throw new TilesightError(
      'memory',
      `${what}: ${rowGrain} rows of ${formatBytes(bytesPerRow)} pass what the device binds, ${formatBytes(limit)}`,
    );
  }
  const size = rows * bytesPerRow <= limit ? rows : whole;
  const chunks: RowChunk[] = [];
  for (let first = 0; first < rows; first += size) chunks.push({ first, count: Math.min(size, rows - first) });
  return chunks;
}

/** The part of a matrix's memory that holds a chunk of its rows. */
export function rowView(tensor: Tensor, { first, count }: RowChunk, bytesPerRow: number): BufferView {
  return { tensor, offsetBytes: first * bytesPerRow, sizeBytes: count * bytesPerRow };
}

/** How a search is cut: bank chunks and segments within them, and how many queries go together. */
interface SearchLayout {
  readonly chunks: readonly RowChunk[];
  readonly segmentRows: number;
  readonly segments: number;
  readonly queries: number;
}

function layOut(
  { queries, rows, elements, list }: { queries: number; rows: number; elements: number; list: number },
  bankRowBytes: number,
  variant: SearchVariant,
  { adapter }: Lowering,
): SearchLayout {
  const limit = adapter.limits.maxStorageBufferBindingSize;
  const chunks = rowChunks(rows, bankRowBytes, limit, 'nearest: the bank');
  const listBytes = list * 4;
  const perQuery = Math.max(elements * 4, chunks.length * listBytes);
  const block = variant.queriesPerGroup;
  const most = Math.floor(limit / perQuery / block) * block;
  if (most === 0) {
    throw new TilesightError(
      'memory',
      `nearest: ${block} queries of ${elements} numbers pass what the device binds, ${formatBytes(limit)}`,
    );
  }
  const together = Math.min(queries, most);
  // Enough workgroups to fill the device, but segments long enough to be worth their lists.
  const groups = Math.ceil(together / variant.queriesPerGroup);
  const wanted = Math.ceil((adapter.class === 'hardware' ? 2048 : 16) / groups);
  let segmentRows = Math.max(rowGrain, Math.ceil(rows / wanted / rowGrain) * rowGrain);
  const count = (): number => chunks.reduce((sum, chunk) => sum + Math.ceil(chunk.count / segmentRows), 0);
  while (count() > chunks.length && count() * together * listBytes > limit) segmentRows *= 2;
  return { chunks, segmentRows, segments: count(), queries: together };
}

const nearestOperator: Operator<{ k: number }> = {
  name: 'nearest',
  lower(node, lowering) {
    const [queries, bank] = node.inputs;
    const [distances, neighbours] = node.outputs;
    if (!queries || !bank || !distances || !neighbours) throw new Error('nearest wants queries and a bank');
    const { k } = node.attributes;
    const [count = 0, elements = 0] = queries.shape;
    const [rows = 0] = bank.shape;
    const bankType: BankType = bank.dtype === 'f16' ? 'f16' : 'f32';
    const { adapter } = lowering;
    const fold = (threads: number): readonly [number, number, number] =>
      foldWorkgroups(Math.ceil(threads / 64), adapter.limits.maxComputeWorkgroupsPerDimension);
    const { variants, preferred } = searchVariants(adapter, elements);
    const variant = lowering.choose('nearest', `${count}x${rows}x${elements}x${k}`, variants, preferred);
    const list = k + spareMembers;
    const vectors = elements / 4;
    const wholeBlocks = (queries: number): number =>
      Math.ceil(queries / variant.queriesPerGroup) * variant.queriesPerGroup;
    const bankRowBytes = elements * bytesPerElement(bank.dtype);
    const layout = layOut({ queries: count, rows, elements, list }, bankRowBytes, variant, lowering);
    const { chunks, segmentRows, segments } = layout;

    const origin = rowView(bank, { first: 0, count: 1 }, bankRowBytes);
    const norms = lowering.temporary('bank norms', [rows]);
    for (const chunk of chunks) {
      lowering.dispatch({
        kernel: { name: `nearest/norms-${bankType}`, source: `${bankSource[bankType]}\n${normsSource}` },
        bindings: [rowView(bank, chunk, bankRowBytes), origin, norms],
        parameters: { rows: chunk.count, vectors, first_row: chunk.first },
        workgroups: fold(chunk.count),
        flops: 2 * chunk.count * elements,
      });
    }

    const columns = lowering.temporary('query columns', [elements, wholeBlocks(layout.queries)]);
    const values = lowering.temporary('list values', [segments, layout.queries, list]);
    const indices = lowering.temporary('list rows', [segments, layout.queries, list], 'u32');
    const joined = segments === 1 ? indices : lowering.temporary('joined rows', [layout.queries, list], 'u32');
    const squares = lowering.temporary('squared distances', [layout.queries, list]);
    for (let first = 0; first < count; first += layout.queries) {
      const together = { first, count: Math.min(layout.queries, count - first) };
      const width = wholeBlocks(together.count);
      const asked = rowView(queries, together, elements * 4);
      lowering.dispatch({
        kernel: { name: `nearest/transpose-${bankType}`, source: `${bankSource[bankType]}\n${transposeSource}` },
        bindings: [asked, origin, columns],
        parameters: { queries: together.count, vectors, columns: width, block: variant.queriesPerGroup },
        workgroups: fold(width * vectors),
      });
      let firstSegment = 0;
      for (const chunk of chunks) {
        const height = Math.ceil(chunk.count / segmentRows);
        lowering.dispatch({
          kernel: variant.kernel(bankType),
          bindings: [columns, rowView(bank, chunk, bankRowBytes), norms, values, indices],
          parameters: {
            queries: together.count,
            vectors,
            rows: chunk.count,
            first_row: chunk.first,
            segment_rows: segmentRows,
            first_segment: firstSegment,
            list,
          },
          workgroups: [Math.ceil(together.count / variant.queriesPerGroup), height, 1],
          flops: 2 * together.count * chunk.count * elements,
        });
        firstSegment += height;
      }
      if (segments > 1) {
        lowering.dispatch({
          kernel: { name: 'nearest/merge', source: `${listSource}\n${mergeSource}` },
          bindings: [values, indices, joined],
          parameters: { queries: together.count, segments, list },
          workgroups: fold(together.count),
        });
      }
      for (const chunk of chunks) {
        const members = together.count * list;
        lowering.dispatch({
          kernel: { name: `nearest/refine-${bankType}`, source: `${bankSource[bankType]}\n${refineSource}` },
          bindings: [asked, rowView(bank, chunk, bankRowBytes), joined, squares],
          parameters: { members, list, vectors, rows: chunk.count, first_row: chunk.first },
          workgroups: fold(members),
          flops: (3 * members * elements) / chunks.length,
        });
      }
      lowering.dispatch({
        kernel: { name: 'nearest/finish', source: finishSource },
        bindings: [squares, joined, rowView(distances, together, k * 4), rowView(neighbours, together, k * 4)],
        parameters: { queries: together.count, list, members: Math.min(list, rows), neighbours: k },
        workgroups: fold(together.count),
      });
    }
  },
};

/**
 * Exact nearest neighbours by Euclidean distance: `distances [Q, k]`, ascending, and `indices [Q, k]` (u32), the rows of
 * the bank. Equal distances are in the order of their rows. The bank may be larger than the device binds; the result
 * depends neither on how it is cut nor on how many queries there are.
 *
 * Rows are ranked by ½|b − o|² − b·(q − o) in f32, o being row 0 of the bank, and the `k + 3` best are measured again from
 * the differences: a row can be missed only where three others lie within the ranking's rounding of it, which in squared
 * distance is 4·d·2⁻²⁴·(|b|·|q − o| + |b − o|²) at most.
 *
 * @param queries `[Q, d]` f32, `d` a multiple of 4.
 * @param bank `[N, d]`, f32 or f16.
 * @param options `k`: neighbours of each query, 1 to 16 and at most N.
 */
export function nearest(
  graph: Graph,
  queries: Tensor,
  bank: Tensor,
  { k }: { readonly k: number },
): { distances: Tensor; indices: Tensor } {
  const [count = 0, elements = 0] = queries.shape;
  const [rows = 0, width] = bank.shape;
  if (queries.shape.length !== 2 || bank.shape.length !== 2 || elements !== width) {
    throw new TilesightError(
      'input',
      `nearest: queries [${queries.shape.join(', ')}] and bank [${bank.shape.join(', ')}] are not rows of one length`,
    );
  }
  if (elements % 4 !== 0)
    throw new TilesightError('input', `nearest: rows of ${elements} elements, not a multiple of 4`);
  if (queries.dtype !== 'f32' || (bank.dtype !== 'f32' && bank.dtype !== 'f16')) {
    throw new TilesightError('input', `nearest: queries of ${queries.dtype} and a bank of ${bank.dtype}`);
  }
  if (!Number.isInteger(k) || k < 1 || k > Math.min(maximumNeighbours, rows)) {
    throw new TilesightError(
      'usage',
      `nearest: ${k} neighbours of ${rows} rows: ask for 1 to ${Math.min(maximumNeighbours, rows)}`,
    );
  }
  const [distances, indices] = graph.add(nearestOperator, [queries, bank], { k }, [
    { shape: [count, k], name: 'distances' },
    { shape: [count, k], dtype: 'u32', name: 'neighbours' },
  ]);
  if (!distances || !indices) throw new Error('nearest gave no output');
  return { distances, indices };
}
