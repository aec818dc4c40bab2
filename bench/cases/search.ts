import type { Gpu } from '../../src/engine/gpu.js';
import type { Graph, Tensor } from '../../src/engine/graph.js';
import { ParameterPool, type Program } from '../../src/engine/program.js';
import { elementCount, type HostTensor } from '../../src/engine/tensor.js';
import { declareKCentre, kCentreSteps } from '../../src/kernels/coreset/k-centre.js';
import { lowerDistances } from '../../src/kernels/coreset/lower.js';
import { declareRows, rowGroup, type RowSet } from '../../src/kernels/coreset/rows.js';
import { nearest } from '../../src/kernels/nearest/nearest.js';
import { identityProjection } from '../../src/models/coreset/projection.js';
import { planSelector, Selector, type Selected } from '../../src/models/coreset/selector.js';
import type { Reference } from '../../test/kernels/harness.js';
import { kCentreReference } from '../../test/reference/k-centre.js';
import { nearestReference } from '../../test/reference/nearest.js';
import { warmUp } from '../programs.js';
import { measure, wallClock } from '../timing.js';
import { product } from './arithmetic.js';
import { builder, bytesOf, lazyTensor, type HostCase, type OperatorCase } from './case.js';

export function neighbours(queries: number, rows: number, elements: number): OperatorCase {
  const { graph, parameter } = builder('k-NN');
  const query = parameter('queries', [queries, elements]);
  const bank = parameter('bank', [rows, elements]);
  const { distances } = nearest(graph, query.tensor, bank.tensor, { k: 1 });
  graph.output(distances);
  return {
    kernel: 'k-NN',
    shape: `${queries} of ${rows}×${elements}`,
    operator: 'nearest',
    graph,
    flops: 2 * queries * rows * elements,
    bytes: bytesOf(query.host.shape, bank.host.shape, distances.shape),
    bound: 'arithmetic',
    outputs: [distances],
    product: () => product(queries, elements, rows).graph,
    reference: () => {
      const found = Array.from({ length: Math.min(8, queries) }, (_, index) => {
        const row = query.host.data.subarray(index * elements, (index + 1) * elements);
        const { squares, order } = nearestReference(row, bank.host.data, elements);
        return Math.sqrt(squares[order[0] ?? 0] ?? 0);
      });
      const values = Float64Array.from(found);
      return { values, bounds: values.map((value) => 2 * elements * 2 ** -24 * value) };
    },
  };
}

/** Bytes of what a caller fills by name before the first run. */
async function fill(program: Program, tensor: Tensor, data: Float32Array): Promise<void> {
  await program.pool.write(tensor.name, { shape: tensor.shape, data });
}

/** Rows of points as the coreset's kernels store them (see `project.wgsl`), from the start of their memory. */
export function unblocked(blocks: Float32Array, rows: number, elements: number): Float32Array {
  return Float32Array.from({ length: rows * elements }, (_, index) => {
    const [row, k] = [Math.floor(index / elements), index % elements];
    const block = Math.floor(row / 64) * 64 * elements;
    return blocks[block + ((k >> 2) * 64 + (row % 64)) * 4 + (k & 3)] ?? 0;
  });
}

/** Random points: their tensors, and what fills them. */
function randomPoints(
  graph: Graph,
  gpu: Gpu,
  rows: number,
  elements: number,
): { points: RowSet; contents: readonly HostTensor[]; fillPoints: (program: Program) => Promise<void> } {
  const points = declareRows(graph, 'points', rows, elements, gpu.profile, 'coreset');
  const contents = points.tensors.map(({ shape }, index) => lazyTensor(shape, 100 + index, 1));
  return {
    points,
    contents,
    fillPoints: async (program) => {
      for (const [index, tensor] of points.tensors.entries()) {
        await fill(program, tensor, contents[index]?.data ?? new Float32Array());
      }
    },
  };
}

export function coreset(gpu: Gpu, rows: number, elements: number, centres: number): OperatorCase {
  const { graph, parameter } = builder('coreset');
  const { points, contents, fillPoints } = randomPoints(graph, gpu, rows, elements);
  const centre = parameter('centres', [centres, elements]);
  const minimum = graph.parameter('minimum', [Math.ceil(rows / rowGroup) * rowGroup]);
  const count = graph.parameter('count', [1], { dtype: 'u32' });
  lowerDistances(graph, points, centre.tensor, count, minimum);
  return {
    kernel: 'coreset distances',
    shape: `${rows}×${elements} to ${centres}`,
    operator: 'lower-distances',
    graph,
    flops: 3 * rows * elements * centres,
    bytes: bytesOf([rows, elements], [centres, elements], [rows], [rows]),
    bound: 'arithmetic',
    outputs: [minimum],
    reference: () => {
      const some = Math.min(64, rows);
      const near = unblocked(contents[0]?.data ?? new Float32Array(), some, elements);
      const values = Float64Array.from({ length: some }, (_, row) => {
        const { squares, order } = nearestReference(
          near.subarray(row * elements, (row + 1) * elements),
          centre.host.data,
          elements,
        );
        return squares[order[0] ?? 0] ?? 0;
      });
      return { values, bounds: values.map((value) => 2 * elements * 2 ** -24 * value) };
    },
    prepare: async (program) => {
      await fillPoints(program);
      await fill(program, count, Float32Array.of(centres));
      await fill(program, minimum, new Float32Array(elementCount(minimum.shape)).fill(3e38));
    },
  };
}

/** What a pick of the plain greedy k-centre costs: it reads all points once, and reads and writes their distances. */
function costOfPick(rows: number, elements: number): { flops: number; bytes: number; bound: 'memory' } {
  return { flops: 3 * rows * elements, bytes: bytesOf([rows, elements], [rows], [rows]), bound: 'memory' };
}

/** The first picks from point 0 on, as far as each leads the second-best by more than rounding. */
function surePicks(vectors: Float32Array, elements: number, wanted: number): Reference {
  const { picks, leads } = kCentreReference(vectors, elements, wanted, 0);
  const doubtful = leads.findIndex((lead) => lead < elements * 2 ** -22);
  const values = Float64Array.from(picks.slice(0, doubtful < 0 ? wanted : doubtful));
  return { values, bounds: new Float64Array(values.length) };
}

/** The greedy k-centre over all points: a pick reads them once. */
export function kCentrePicks(gpu: Gpu, rows: number, elements: number, picks: number): OperatorCase {
  const { graph } = builder('k-centre');
  const { points, contents, fillPoints } = randomPoints(graph, gpu, rows, elements);
  if (points.tensors.length > 1) throw new Error('the reference looks at one tensor of points');
  const state = declareKCentre(graph, 'k-centre', points, picks, gpu.profile, 'coreset');
  kCentreSteps(graph, points, state, picks);
  return {
    kernel: 'k-centre pick',
    shape: `of ${rows}×${elements}`,
    operator: undefined,
    graph,
    repeats: picks,
    ...costOfPick(rows, elements),
    outputs: [state.picks],
    // The first run begins with point 0.
    reference: () => surePicks(unblocked(contents[0]?.data ?? new Float32Array(), rows, elements), elements, picks),
    prepare: async (program) => {
      await fillPoints(program);
      const distances = new Float32Array(elementCount(state.minimum.shape)).fill(1e38);
      distances[0] = 3e38;
      await fill(program, state.minimum, distances);
      await fill(program, state.start, Float32Array.of(0, 0, 0, picks, 0, 0, 0, 0));
    },
  };
}

/** Picks that are compared with 64-bit ones, which take seconds. */
const checkedPicks = 128;

/** The greedy k-centre as a memory bank is chosen: whole selections in rounds, the host's part in them included. */
export function kCentreRounds(gpu: Gpu, rows: number, elements: number, wanted: number): HostCase {
  const vectors = lazyTensor([rows, elements], 1, 1);
  return {
    kernel: 'k-centre by rounds',
    shape: `${wanted} of ${rows}×${elements}`,
    repeats: wanted,
    ...costOfPick(rows, elements),
    reference: () => surePicks(vectors.data, elements, Math.min(wanted, checkedPicks)),
    measure: async (effort) => {
      const started = performance.now();
      const projection = identityProjection(elements);
      const plan = planSelector({ source: 'rows', rows, elements, projection, adapter: gpu.profile });
      const pool = new ParameterPool(gpu);
      const selector = await Selector.create(gpu, plan, pool);
      try {
        const [source, ...more] = plan.source.tensors;
        if (!source || more.length > 0) throw new Error('the rows are written as one tensor');
        await pool.write(source.name, vectors);
        const unwatched = { signal: undefined, onPick: undefined, checkpoint: undefined };
        const select = (): Promise<Selected> => selector.select({ rows, wanted, first: 0, ...unwatched });
        const { picks } = await select();
        const coldMilliseconds = performance.now() - started;
        await warmUp(gpu, select);
        return {
          milliseconds: await measure(wallClock(select), effort),
          coldMilliseconds,
          outputs: [Float32Array.from(picks)],
        };
      } finally {
        selector.destroy();
        pool.destroy();
      }
    },
  };
}
