import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Gpu } from '../engine/gpu.js';
import type { VariantTable } from '../engine/plan.js';
import { decodeTuning, encodeTuning, tuningKey } from '../engine/tuning.js';
import { shippedTable } from '../kernels/tuned.js';
import { cacheFolder } from './cache.js';
import { writeFileAtomic } from './files.js';

/** Where this adapter's table is kept. */
export function tuningPath(gpu: Gpu): string {
  const name = createHash('sha256').update(gpu.profile.name).digest('hex').slice(0, 16);
  return join(cacheFolder('tuning'), `${name}.json`);
}

/** What is known to be fast on this adapter: the table that was measured on it, if it still holds, over what ships for its kind. */
export async function loadTuning(gpu: Gpu, onNote: (line: string) => void = () => undefined): Promise<VariantTable> {
  const shipped = shippedTable(gpu.profile);
  const text = await readFile(tuningPath(gpu), 'utf8').catch(() => undefined);
  if (text === undefined) return shipped;
  const { winners, problem } = decodeTuning(text, tuningKey(gpu));
  if (problem) onNote(problem);
  return new Map([...shipped, ...(winners ?? [])]);
}

/** Keeps the winners of a measurement for this adapter. */
export async function saveTuning(gpu: Gpu, winners: VariantTable): Promise<string> {
  const path = tuningPath(gpu);
  await writeFileAtomic(path, encodeTuning(tuningKey(gpu), winners));
  return path;
}
