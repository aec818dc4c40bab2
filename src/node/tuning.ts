import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Gpu } from '../engine/gpu.js';
import type { VariantTable } from '../engine/plan.js';
import { decodeTuning, encodeTuning, tuningKey } from '../engine/tuning.js';
import { cacheFolder } from './cache.js';
import { writeFileAtomic } from './files.js';

/** Where this adapter's table is kept. */
export function tuningPath(gpu: Gpu): string {
  const name = createHash('sha256').update(gpu.profile.name).digest('hex').slice(0, 16);
  return join(cacheFolder('tuning'), `${name}.json`);
}

/** The table that was measured on this adapter, if there is one that still holds. */
export async function loadTuning(
  gpu: Gpu,
  onNote: (line: string) => void = () => undefined,
): Promise<VariantTable | undefined> {
  const text = await readFile(tuningPath(gpu), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const { winners, problem } = decodeTuning(text, tuningKey(gpu));
  if (problem) onNote(problem);
  return winners;
}

/** Keeps the winners of a measurement for this adapter. */
export async function saveTuning(gpu: Gpu, winners: VariantTable): Promise<string> {
  const path = tuningPath(gpu);
  await writeFileAtomic(path, encodeTuning(tuningKey(gpu), winners));
  return path;
}
