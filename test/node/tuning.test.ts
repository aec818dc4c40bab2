import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
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

  it('reads what it writes', async () => {
    const key = tuningKey(await testGpu());
    const winners = new Map([
      ['conv2d|b', 'direct'],
      ['conv2d|a', 'winograd2'],
    ]);
    expect(decodeTuning(encodeTuning(key, winners), key).winners).toEqual(winners);
  });
});
