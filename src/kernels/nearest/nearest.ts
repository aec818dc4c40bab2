import type { AdapterProfile } from '../../engine/adapter.js';
import { TilesightError } from '../../engine/errors.js';
import { foldWorkgroups } from '../../engine/kernel.js';
import type { Graph, Lowering, Operator, Tensor, Variant } from '../../engine/graph.js';
import { formatBytes } from '../../engine/memory.js';
import { bytesPerElement } from '../../engine/tensor.js';
import {
  dispatchProduct,
  fastestProduct,
  matrixRows,
  noEpilogue,
  onePlane,
  productRuns,
  type ProductKernelName,
} from '../product/product.js';
import listSource from './list.wgsl';
import { measure } from './measure.js';
import mergeTeamSource from './merge-team.wgsl';
import mergeSource from './merge.wgsl';
import { bankNorms, prepareTogether, turnQueries } from './prepare.js';
import { rowChunks, rowGrain, rowView, type RowChunk } from './row-chunks.js';
import naiveSource from './search-naive.wgsl';
import searchSource from './search.wgsl';
import selectTeamSource from './select-team.wgsl';
import selectSource from './select.wgsl';
import { bankSource, type BankType } from './sources.js';
import storeListSource from './store-list.wgsl';
import { teamFor, teamKernel, teamSegmentRows, teamWorkgroups, type Team } from './team.js';
import widenSource from './widen.wgsl';

/** Most neighbours that a search gives. */
export const maximumNeighbours = 16;

/** Members of a list beyond the neighbours asked for: room for what the ranking's rounding puts in the wrong order. */
const spareMembers = 3;

/** Most bytes of a block of scores, a row of the bank by a query each. */
const scoreBytes = 8 * 2 ** 20;

/** Most queries that are searched for together: a block of scores then has 1024 rows of the bank at least. */
const mostQueries = 2048;

/** How a search is cut: the bank into chunks, segments within them, and how many queries go together. */
interface SearchLayout {
  readonly chunks: readonly RowChunk[];
  readonly segmentRows: number;
  readonly segments: number;
  readonly queries: number;
}

const wholeColumns = (queries: number): number => Math.ceil(queries / 4) * 4;

function layOut(
  { queries, rows, elements, list }: { queries: number; rows: number; elements: number; list: number },
  team: Team | undefined,
  adapter: AdapterProfile,
): SearchLayout {
  const limit = adapter.limits.maxStorageBufferBindingSize;
  const block = Math.min(limit, scoreBytes);
  const cut = (together: number): RowChunk[] =>
    rowChunks(rows, elements * 4, limit, 'nearest: the bank', Math.floor(block / (wholeColumns(together) * 4)));
  const listBytes = list * 4;
  const fit = Math.min(mostQueries, limit / (elements * 4), block / (rowGrain * 4));
  let together = queries <= fit ? queries : Math.floor(fit / rowGrain) * rowGrain;
  while (together > rowGrain && cut(together).length * together * listBytes > limit) {
    together = Math.ceil(together / 2 / rowGrain) * rowGrain;
  }
  const chunks = together > 0 ? cut(together) : [];
  if (together === 0 || chunks.length * together * listBytes > limit) {
    throw new TilesightError(
      'memory',
      `nearest: ${rowGrain} queries of ${elements} numbers pass what the device binds, ${formatBytes(limit)}`,
    );
  }
  // Enough threads to fill the device, but segments long enough to be worth their lists.
  const wanted = team
    ? Math.ceil(teamWorkgroups / Math.ceil(together / team.queries))
    : Math.ceil((adapter.class === 'hardware' ? 32_768 : 512) / together);
  let segmentRows = Math.max(team ? teamSegmentRows : rowGrain, Math.ceil(rows / wanted / rowGrain) * rowGrain);
  const count = (): number => chunks.reduce((sum, chunk) => sum + Math.ceil(chunk.count / segmentRows), 0);
  while (count() > chunks.length && count() * together * listBytes > limit) segmentRows *= 2;
  return { chunks, segmentRows, segments: count(), queries: together };
}

/** One way to rank the rows of a bank: the plain loop, or scores by a matrix product of which the best are selected. */
interface SearchVariant extends Variant {
  readonly product?: ProductKernelName;
}

const naive: SearchVariant = { name: 'naive' };

/** The products go by the names that they have as variants of `matmul`. */
const byProduct: readonly (SearchVariant & { product: ProductKernelName })[] = [
  { name: 'register', product: 'direct' },
  { name: 'subgroup', product: 'subgroup' },
  { name: 'shared', product: 'shared' },
];

/** A chunk of the bank that is ranked for some queries, and where the lists go. */
interface Ranking {
  readonly bank: Tensor;
  readonly chunk: RowChunk;
  readonly columns: Tensor;
  /** `[rows, columns]`, and the chunk's rows as the product reads them where the bank is stored otherwise. */
  readonly scores: Tensor;
  readonly widened: Tensor;
  readonly norms: Tensor;
  readonly values: Tensor;
  readonly indices: Tensor;
  readonly parameters: {
    readonly queries: number;
    readonly columns: number;
    readonly elements: number;
    readonly rows: number;
    readonly first_row: number;
    readonly segment_rows: number;
    readonly first_segment: number;
    readonly list: number;
  };
}

/** Ranks the rows of a chunk segment by segment, and leaves a list a query and segment. */
function rank(lowering: Lowering, { product }: SearchVariant, team: Team | undefined, ranking: Ranking): void {
  const { bank, chunk, columns, scores, widened, norms, values, indices, parameters } = ranking;
  const { queries, columns: width, elements, segment_rows, list } = parameters;
  const type = bankType(bank);
  const part = rowView(bank, chunk, elements * bytesPerElement(bank.dtype));
  const flops = 2 * queries * chunk.count * elements;
  const workgroups = [Math.ceil(queries / (team?.queries ?? 64)), Math.ceil(chunk.count / segment_rows), 1] as const;
  if (!product) {
    const source = [bankSource[type], listSource, searchSource, storeListSource, naiveSource].join('\n');
    const kernel = { name: `nearest/naive-${type}`, source };
    lowering.dispatch({ kernel, bindings: [norms, values, indices, columns, part], parameters, workgroups, flops });
    return;
  }
  if (type === 'f16') {
    const vectors = (chunk.count * elements) / 4;
    lowering.dispatch({
      kernel: { name: 'nearest/widen-f16', source: `${bankSource.f16}\n${widenSource}` },
      bindings: [part, widened],
      parameters: { vectors },
      workgroups: foldWorkgroups(Math.ceil(vectors / 64), lowering.adapter.limits.maxComputeWorkgroupsPerDimension),
    });
  }
  const left = type === 'f16' ? widened : part;
  dispatchProduct(lowering, product, {
    ...{ left, right: columns, extras: [columns, columns], result: scores },
    rows: matrixRows(chunk.count, elements, false),
    ...{ channels: width, weightStride: width, resultStride: width },
    ...{ planes: onePlane, epilogue: noEpilogue, flops },
  });
  lowering.dispatch({
    kernel: team
      ? teamKernel('select-team', [searchSource, selectTeamSource], list, team)
      : { name: 'nearest/select', source: [listSource, searchSource, storeListSource, selectSource].join('\n') },
    bindings: [norms, values, indices, scores],
    parameters,
    workgroups,
  });
}

const bankType = (bank: Tensor): BankType => (bank.dtype === 'f16' ? 'f16' : 'f32');

const nearestOperator: Operator<{ k: number }> = {
  name: 'nearest',
  lower(node, lowering) {
    const [queries, bank] = node.inputs;
    const [distances, neighbours] = node.outputs;
    if (!queries || !bank || !distances || !neighbours) throw new Error('nearest wants queries and a bank');
    const { k } = node.attributes;
    const [count = 0, elements = 0] = queries.shape;
    const [rows = 0] = bank.shape;
    const type = bankType(bank);
    const { adapter } = lowering;
    const { limits } = adapter;
    const fold = (threads: number): readonly [number, number, number] =>
      foldWorkgroups(Math.ceil(threads / 64), limits.maxComputeWorkgroupsPerDimension);
    const products = byProduct.filter(({ product }) => productRuns(product, adapter));
    const preferred = products.find(({ product }) => product === fastestProduct(adapter)) ?? naive;
    const variant = lowering.choose('nearest', `${count}x${rows}x${elements}x${k}`, [naive, ...products], preferred);
    const list = k + spareMembers;
    const bankRowBytes = elements * bytesPerElement(bank.dtype);
    const team = variant.product && teamFor(list, adapter);
    const sizes = { queries: count, rows, elements, list };
    const { chunks, segmentRows, segments, queries: most } = layOut(sizes, team, adapter);
    const bound = rowChunks(rows, bankRowBytes, limits.maxStorageBufferBindingSize, 'nearest: the bank');
    const boundBank = { tensor: bank, type, rowBytes: bankRowBytes, chunks: bound };
    const norms = lowering.temporary('bank norms', [rows]);
    const prepareOnce = adapter.class === 'hardware' && bound.length === 1 && count <= most;
    if (!prepareOnce) bankNorms(lowering, boundBank, norms);

    const chunkRows = chunks[0]?.count ?? 0;
    const columns = lowering.temporary('query columns', [elements, wholeColumns(most)]);
    const scores = lowering.temporary('scores', [chunkRows, wholeColumns(most)]);
    const widened = lowering.temporary('bank rows', [chunkRows, elements]);
    const values = lowering.temporary('list values', [segments, list, most]);
    const indices = lowering.temporary('list rows', [segments, list, most], 'u32');
    const joined = segments === 1 ? indices : lowering.temporary('joined rows', [list, most], 'u32');
    const squares = lowering.temporary('squared distances', [list, most]);
    for (let first = 0; first < count; first += most) {
      const together = { first, count: Math.min(most, count - first) };
      const width = wholeColumns(together.count);
      const asked = rowView(queries, together, elements * 4);
      const turned = { queries: asked, count: together.count, columns, width };
      if (prepareOnce) prepareTogether(lowering, boundBank, norms, turned);
      else turnQueries(lowering, boundBank, turned);
      let firstSegment = 0;
      for (const chunk of chunks) {
        rank(lowering, variant, team, {
          ...{ bank, chunk, columns, scores, widened, norms, values, indices },
          parameters: {
            queries: together.count,
            columns: width,
            elements,
            rows: chunk.count,
            first_row: chunk.first,
            segment_rows: segmentRows,
            first_segment: firstSegment,
            list,
          },
        });
        firstSegment += Math.ceil(chunk.count / segmentRows);
      }
      if (segments > 1) {
        lowering.dispatch({
          kernel: team
            ? teamKernel('merge-team', [mergeTeamSource], list, team)
            : { name: 'nearest/merge', source: `${listSource}\n${mergeSource}` },
          bindings: [values, indices, joined],
          parameters: { queries: together.count, segments, list },
          workgroups: team ? [Math.ceil(together.count / team.queries), 1, 1] : fold(together.count),
        });
      }
      measure(lowering, {
        ...{ queries: asked, bank: boundBank, lists: joined, squares },
        ...{ distances: rowView(distances, together, k * 4), neighbours: rowView(neighbours, together, k * 4) },
        ...{ count: together.count, list, k },
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
