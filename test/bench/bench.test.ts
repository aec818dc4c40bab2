import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { benchTable, runBench } from '../../bench/index.js';
import { startBruteForce } from '../../bench/brute-force.js';
import { randomNumbers } from '../../bench/random.js';
import type { BenchOptions, BenchReport } from '../../src/cli/bench.js';
import { nearestReference } from '../reference/nearest.js';

function run(what: BenchOptions['what'], more: Partial<BenchOptions> = {}): Promise<BenchReport> {
  const { signal } = new AbortController();
  return runBench({ what, tiny: true, cold: false, limitSize: 2048, signal, onNote: () => undefined, ...more });
}

/** The figures of a row that are spreads. */
function expectReport(report: BenchReport): void {
  expect(Object.keys(report)).toEqual(['adapter', 'date', 'version', 'rows', 'summary']);
  expect(new Date(report.date).getTime()).toBeGreaterThan(0);
  expect(report.version).toMatch(/^\d+\.\d+\.\d+/);
  expect(report.adapter).toMatchObject({ name: expect.any(String) as string, driver: expect.any(String) as string });
  // It must be JSON: no NaN, no infinity.
  expect(JSON.stringify(report)).not.toContain('NaN');
  expect(report.rows.length).toBeGreaterThan(0);
  const text = benchTable(report);
  expect(text).toContain('summary: ');
  expect(text.split('\n').length).toBeGreaterThan(report.rows.length);
}

describe('bench', () => {
  it('kernels: every variant with its error, and shares of roofs measured in the same run', async () => {
    const report = await run('kernels', { only: 'GEMM' });
    expectReport(report);
    expect(Object.keys(report.summary)).toEqual([
      'fmaRoof',
      'copyRoof',
      'directConvShareOfRoof',
      'winogradOverDirect',
      'knnOverGemm',
      'coresetShareOfRoof',
    ]);
    // What was left out has no figure, rather than a wrong one.
    expect(report.summary).toMatchObject({ knnOverGemm: null, coresetShareOfRoof: null, directConvShareOfRoof: null });
    const rows = report.rows.filter((row) => 'kernel' in row) as Record<string, unknown>[];
    expect(rows.length).toBeGreaterThan(1);
    const shapes = new Set(rows.map((row) => row['shape']));
    expect(rows.filter((row) => row['chosen'])).toHaveLength(shapes.size);
    for (const row of rows) {
      expect(row['gflops']).toBeGreaterThan(0);
      if (!String(row['variant']).includes('f16')) expect(row['shareOfBound']).toBeLessThanOrEqual(1);
    }
  });

  it('kernels: coreset and neighbours beside the processor', async () => {
    for (const only of ['k-NN', 'coreset']) {
      const report = await run('kernels', { only });
      expectReport(report);
      const variants = report.rows.map((row) => String((row as Record<string, unknown>)['variant']));
      expect(variants.some((variant) => variant.startsWith('brute force'))).toBe(true);
      // What the planner takes is sampled beside products of the same sizes, though they are no rows.
      const { knnOverGemm } = report.summary as Record<string, unknown>;
      const beside = (report.rows as Record<string, unknown>[]).filter((row) => typeof row['overProduct'] === 'number');
      expect(beside.map((row) => row['overProduct'])).toEqual(only === 'k-NN' ? [knnOverGemm] : []);
      expect(beside.every((row) => row['chosen'])).toBe(true);
      for (const row of report.rows as Record<string, unknown>[]) {
        if ('kernel' in row && !String(row['variant']).startsWith('brute force')) {
          expect(row['shareOfBound']).toBeLessThanOrEqual(1);
        }
      }
    }
  });

  it('kernels: the picks of the k-centre are those of f64, all at once and by rounds', async () => {
    const report = await run('kernels', { only: 'k-centre' });
    expectReport(report);
    const rows = report.rows.filter((each) => 'kernel' in each) as Record<string, unknown>[];
    expect(rows.map((row) => row['kernel'])).toEqual(['k-centre pick', 'k-centre by rounds']);
    for (const row of rows) expect(row['error']).toBe(0);
    const { coresetShareOfRoof } = report.summary as Record<string, unknown>;
    expect(coresetShareOfRoof).toBe(Math.min(...rows.map((row) => Number(row['shareOfCopy']))));
  });

  it('kernels: the copy roof is that of the fastest pattern', async () => {
    const { rows, summary } = await run('kernels', { only: 'add' });
    const copies = (rows as Record<string, unknown>[]).filter((row) => String(row['roof']).startsWith('copy'));
    expect(copies.length).toBeGreaterThan(1);
    expect((summary as Record<string, unknown>)['copyRoof']).toBe(
      Math.max(...copies.map((row) => Number(row['gbPerSecond']))),
    );
  });

  it('kernels --tune: a winner for each choice', async () => {
    const report = await run('kernels', { only: 'add', tune: true });
    const tuned = report.rows.filter((row) => 'tuned' in row) as Record<string, unknown>[];
    const keys = new Set(tuned.map((row) => row['key']));
    expect(keys.size).toBeGreaterThan(0);
    expect(tuned.filter((row) => row['winner'])).toHaveLength(keys.size);
    expect(tuned.some((row) => String(row['variant']).includes('f16'))).toBe(false);
  });

  it('backbone: in a process of its own', async () => {
    const report = await run('backbone');
    expectReport(report);
    expect(report.rows).toHaveLength(2);
    expect(report.summary).toEqual({});
  });

  it('ensemble: with and without double buffering, and a trace', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tilesight-test-'));
    const profile = join(folder, 'trace.json');
    const report = await run('ensemble', { profile });
    const trace = JSON.parse(readFileSync(profile, 'utf8')) as { traceEvents: { name: string }[] };
    expect(trace.traceEvents.map((event) => event.name)).toContain('upload');
    rmSync(folder, { recursive: true });
    expectReport(report);
    expect(report.summary).toMatchObject({
      overheadRatio: expect.any(Number) as number,
      parameters: expect.stringMatching(/streamed|resident/) as string,
      idleCounting: expect.stringContaining('timestamps') as string,
    });
    expect(report.rows).toHaveLength(12);
  });

  it('ensemble --training: a step of a model and of a stack of convolutions', async () => {
    const report = await run('ensemble', { training: true });
    expectReport(report);
    const [model, stack] = report.rows as Record<string, unknown>[];
    expect(model?.['imagesPerSecond']).toBeGreaterThan(0);
    expect(stack?.['engine']).toBe('tilesight');
    expect(stack?.['firstLoss']).toBeGreaterThan(0);
  });

  it('memory: peaks as planned, the same for every grid of several tiles', async () => {
    const report = await run('memory');
    expectReport(report);
    const { peakBytes } = report.summary as { peakBytes: Record<string, number> };
    expect(Object.keys(peakBytes)).toEqual(['1x1', '2x2', '3x3']);
    expect(peakBytes['3x3']).toBe(peakBytes['2x2']);
    for (const row of report.rows as Record<string, number>[]) {
      expect(row['peakBytes']).toBeLessThanOrEqual(row['plannedBytes'] ?? 0);
    }
  });

  it('stops when it is told to', async () => {
    const controller = new AbortController();
    controller.abort(new Error('stopped'));
    await expect(run('kernels', { signal: controller.signal })).rejects.toThrow('stopped');
  });
});

it('the brute force finds what the reference finds', async () => {
  const [queries, bank] = [randomNumbers(5 * 8, 1), randomNumbers(40 * 8, 2)];
  const force = startBruteForce(queries, bank, 8);
  try {
    expect(await force.run()).toBeGreaterThanOrEqual(0);
    for (let query = 0; query < 5; query++) {
      const { squares } = nearestReference(queries.subarray(query * 8, (query + 1) * 8), bank, 8);
      expect(force.squares[query]).toBeCloseTo(Math.min(...squares), 5);
    }
  } finally {
    await force.close();
  }
});
