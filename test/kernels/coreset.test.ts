import { describe, expect, it } from 'vitest';
import type { AdapterProfile } from '../../src/engine/adapter.js';
import { Graph, type Tensor } from '../../src/engine/graph.js';
import { compile, type PlanOptions } from '../../src/engine/plan.js';
import { ParameterPool, Program } from '../../src/engine/program.js';
import type { HostTensor } from '../../src/engine/tensor.js';
import { declareKCentre, kCentreSteps } from '../../src/kernels/coreset/k-centre.js';
import { lowerDistances } from '../../src/kernels/coreset/lower.js';
import { declareRows, rowGroup, type RowSet } from '../../src/kernels/coreset/rows.js';
import { testGpu } from '../gpu.js';
import { kCentreReference, squaresToNearest } from '../reference/k-centre.js';
import { randomTensor } from './harness.js';

/** Distance of a point that no centre has been measured to. */
const unmeasured = Math.fround(3.4e38);

function limited(profile: AdapterProfile, bytes: number): AdapterProfile {
  return { ...profile, limits: { ...profile.limits, maxStorageBufferBindingSize: bytes } };
}

/** Rows as the kernels read them: blocks of 64 points, in each the vectors of four elements of all 64, one by one. */
function inBlocks(points: HostTensor, length: number): Float32Array {
  const [rows = 0, elements = 0] = points.shape;
  const blocks = new Float32Array(length);
  for (let row = 0; row < rows; row++) {
    for (let k = 0; k < elements; k++) {
      const block = Math.floor(row / 64) * 64 * elements;
      blocks[block + ((k >> 2) * 64 + (row % 64)) * 4 + (k & 3)] = points.data[row * elements + k] ?? 0;
    }
  }
  return blocks;
}

/** Runs a graph over points once and gives the named parameter's contents. */
async function run(
  points: HostTensor,
  build: (graph: Graph, rows: RowSet) => readonly (readonly [Tensor, Float32Array])[],
  wanted: string,
  options: Partial<PlanOptions> = {},
): Promise<Float32Array> {
  const gpu = await testGpu();
  const adapter = options.adapter ?? gpu.profile;
  const [rows = 0, elements = 0] = points.shape;
  const graph = new Graph('coreset');
  const set = declareRows(graph, 'points', rows, elements, adapter, 'coreset');
  const filled = build(graph, set);
  const pool = new ParameterPool(gpu);
  const program = await Program.create(gpu, compile(graph, { ...options, adapter }), { pool });
  try {
    const all = inBlocks(points, set.tensors.length * set.rowsPerTensor * elements);
    for (const [index, { name, shape }] of set.tensors.entries()) {
      const size = set.rowsPerTensor * elements;
      await pool.write(name, { shape, data: all.subarray(index * size, (index + 1) * size) });
    }
    for (const [{ name, shape }, data] of filled) await pool.write(name, { shape, data });
    program.run(0, false);
    return (await pool.read(wanted)).data;
  } finally {
    program.destroy();
    pool.destroy();
  }
}

/** Lowers distances from `before` to the first `count` of the centres. */
async function lower(
  points: HostTensor,
  centres: HostTensor,
  count: number,
  before: Float32Array,
  options: Partial<PlanOptions> = {},
): Promise<Float32Array> {
  const rows = points.shape[0] ?? 0;
  const minimum = new Float32Array(Math.ceil(rows / rowGroup) * rowGroup);
  minimum.set(before);
  const lowered = await run(
    points,
    (graph, set) => {
      const near = graph.parameter('centres', centres.shape);
      const number = graph.parameter('count', [1], { dtype: 'u32' });
      const least = graph.parameter('minimum', [minimum.length]);
      lowerDistances(graph, set, near, number, least);
      return [
        [near, centres.data],
        [number, Float32Array.of(count)],
        [least, minimum],
      ];
    },
    'minimum',
    options,
  );
  return lowered.subarray(0, rows);
}

const variants = ['register', 'subgroup', 'shared'];

describe('distances to new centres', () => {
  it('are those of f64, the same in all variants', async () => {
    for (const [rows, elements, most, count] of [
      [1, 4, 1, 1],
      [63, 12, 5, 5],
      [300, 20, 200, 129],
      [517, 128, 128, 127],
    ] as const) {
      const points = randomTensor([rows, elements], rows);
      const centres = randomTensor([most, elements], 7);
      // Some points lie on a centre, some are near to an earlier one.
      for (let row = 3; row < rows; row += 50) points.data.set(centres.data.subarray(0, elements), row * elements);
      const before = Float32Array.from({ length: rows }, (_, row) => (row % 7 === 0 ? elements / 8 : unmeasured));
      const together = new Float32Array([...points.data, ...centres.data.subarray(0, count * elements)]);
      const numbers = Array.from({ length: count }, (_, index) => rows + index);
      const squares = squaresToNearest(together, elements, numbers);
      const found = await Promise.all(
        variants.map((variant) => lower(points, centres, count, before, { kernels: { 'lower-distances': variant } })),
      );
      for (const [index, lowered] of found.entries()) {
        for (let row = 0; row < rows; row++) {
          const exact = Math.min(squares[row] ?? 0, before[row] ?? 0);
          expect(Math.abs((lowered[row] ?? NaN) - exact)).toBeLessThanOrEqual((elements + 4) * 2 ** -23 * exact);
        }
        expect(lowered, variants[index]).toEqual(found[0]);
      }
    }
  });

  it('do not depend on what the device binds at once', async () => {
    const { profile } = await testGpu();
    const points = randomTensor([1500, 64], 5);
    const centres = randomTensor([40, 64], 6);
    const before = new Float32Array(1500).fill(unmeasured);
    for (const variant of variants) {
      const kernels = { 'lower-distances': variant };
      const whole = await lower(points, centres, 40, before, { kernels });
      expect(await lower(points, centres, 40, before, { kernels, adapter: limited(profile, 2 ** 17) })).toEqual(whole);
    }
  });
});

describe('greedy k-centre', () => {
  it('takes the picks of f64 wherever one leads, however it is cut', async () => {
    const { profile } = await testGpu();
    const wanted = 40;
    let decided = 0;
    for (const [rows, elements] of [
      [64, 4],
      [700, 24],
      [2000, 64],
    ] as const) {
      const points = randomTensor([rows, elements], rows);
      const { picks, leads } = kCentreReference(points.data, elements, wanted, 3);
      for (const adapter of [profile, { ...profile, class: 'hardware' as const }, limited(profile, 2 ** 17)]) {
        const taken = await run(
          points,
          (graph, set) => {
            const state = declareKCentre(graph, 'k-centre', set, wanted, adapter, 'coreset');
            kCentreSteps(graph, set, state, wanted);
            // The first pick is the one point that is farther than all others.
            const distances = new Float32Array(state.minimum.shape[0] ?? 0).fill(1e30);
            distances[3] = unmeasured;
            return [
              [state.minimum, distances],
              [state.start, Float32Array.of(0, 0, 0, wanted, 0, 0, 0, 0)],
            ];
          },
          'k-centre picks',
          { adapter },
        );
        const first = leads.findIndex((lead) => lead < elements * 2 ** -22);
        const sure = first < 0 ? wanted : first;
        expect([...taken].slice(0, sure)).toEqual(picks.slice(0, sure));
        decided += sure;
      }
    }
    expect(decided).toBeGreaterThan(300);
  });
});
