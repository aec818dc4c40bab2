import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { assumedAdapter } from '../../src/engine/adapter.js';
import { Graph } from '../../src/engine/graph.js';
import { compile } from '../../src/engine/plan.js';
import type { HostTensor } from '../../src/engine/tensor.js';
import { conv2d } from '../../src/kernels/conv2d/conv2d.js';
import { decodeTuning, encodeTuning, tuningKey } from '../../src/engine/tuning.js';
import { shippedTable } from '../../src/kernels/tuned.js';
import { loadTuning, saveTuning, tuningPath } from '../../src/node/tuning.js';
import { testGpu } from '../gpu.js';

let folder: string;
const before = process.env['TILESIGHT_CACHE'];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tilesight-tuning-'));
  process.env['TILESIGHT_CACHE'] = folder;
});

afterEach(() => {
  if (before === undefined) delete process.env['TILESIGHT_CACHE'];
  else process.env['TILESIGHT_CACHE'] = before;
  rmSync(folder, { recursive: true, force: true });
});

describe('tuning tables', () => {
  it('gives what was measured on the adapter before what ships for its kind', async () => {
    const gpu = await testGpu();
    const shipped = shippedTable(gpu.profile);
    expect(await loadTuning(gpu)).toEqual(shipped);
    const [known = 'matmul|1x8x8x8'] = shipped.keys();
    await saveTuning(gpu, new Map([[known, 'naive']]));
    expect(await loadTuning(gpu)).toEqual(new Map([...shipped, [known, 'naive']]));
  });

  it('ignores a table that is damaged or of something else, with a line', async () => {
    const gpu = await testGpu();
    const shipped = shippedTable(gpu.profile);
    const path = await saveTuning(gpu, new Map());
    expect(path).toBe(tuningPath(gpu));
    const other = encodeTuning({ ...tuningKey(gpu), driver: 'another' }, new Map([['matmul|1x8x8x8', 'naive']]));
    for (const [text, line] of [
      ['{', /damaged.*--tune/],
      ['{"key": 1}', /damaged.*--tune/],
      [other, /another driver.*--tune/],
    ] as const) {
      writeFileSync(path, text);
      const notes: string[] = [];
      expect(await loadTuning(gpu, (note) => notes.push(note))).toEqual(shipped);
      expect(notes).toEqual([expect.stringMatching(line)]);
    }
  });

  it('ships choices that the kernels have, for the adapters that they were measured on alone', () => {
    const nvidia = { ...assumedAdapter, name: 'NVIDIA: 580.159.04 580.159.4.0' };
    const table = shippedTable(nvidia);
    expect(table.size).toBeGreaterThan(0);
    for (const [key, variant] of table) {
      const [, height, width, inputs, outputs, kernel, stride, padding] =
        /^conv2d\|(\d+)x(\d+)x(\d+)-(\d+) k(\d)x\d s(\d)x\d p(\d)\./.exec(key)?.map(Number) ?? [];
      if (!height || !width || !inputs || !outputs || !kernel || !stride || padding === undefined) throw new Error(key);
      const graph = new Graph('tuned');
      const shape = [kernel, kernel, inputs, outputs];
      const contents = (): HostTensor => ({ shape, data: new Float32Array(kernel * kernel * inputs * outputs) });
      const weight = graph.parameter('weight', shape, { contents });
      graph.output(conv2d(graph, graph.input('x', [8, height, width, inputs]), weight, { stride, padding }));
      expect(compile(graph, { adapter: nvidia }).choices.get(key)).not.toBe(variant);
      expect(compile(graph, { adapter: nvidia, tuning: table }).choices.get(key)).toBe(variant);
    }
    expect(shippedTable(assumedAdapter).size).toBe(0);
  });

  it('reads what it writes', async () => {
    const key = tuningKey(await testGpu());
    const winners = new Map([
      ['conv2d|b', 'direct'],
      ['conv2d|a', 'winograd2'],
    ]);
    expect(decodeTuning(encodeTuning(key, winners), key).winners).toEqual(winners);
  });
});
