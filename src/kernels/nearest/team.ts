import type { AdapterProfile } from '../../engine/adapter.js';
import type { Kernel } from '../../engine/kernel.js';
import { unroll } from '../unroll.js';
import teamSource from './team.wgsl';

/** A workgroup whose threads select together (`team.wgsl`). */
export interface Team {
  readonly queries: number;
  readonly slices: number;
}

/**
 * The largest team whose lists fit workgroup memory, on hardware; in software, where barriers cost more than walking through
 * the rows, and on adapters where none fits, undefined: each thread then makes lists of its own.
 */
export function teamFor(list: number, { class: kind, limits }: AdapterProfile): Team | undefined {
  if (kind !== 'hardware') return undefined;
  const slices = [32, 16, 8].find(
    (count) =>
      8 * count <= limits.maxComputeInvocationsPerWorkgroup &&
      8 * count * list * 8 <= limits.maxComputeWorkgroupStorageSize,
  );
  return slices === undefined ? undefined : { queries: 8, slices };
}

const teamKernels = new Map<string, Kernel>();

/** A kernel of a team, written out for the length of its lists. */
export function teamKernel(name: string, sources: readonly string[], list: number, { queries, slices }: Team): Kernel {
  const full = `nearest/${name} list=${list} slices=${slices}`;
  const constants = { LIST: list, QUERIES: queries, SLICES: slices };
  const kernel = teamKernels.get(full) ?? {
    name: full,
    source: unroll([teamSource, ...sources].join('\n'), constants),
    constants,
  };
  teamKernels.set(full, kernel);
  return kernel;
}

/**
 * Rows that a team goes through as fast as a further dispatch would merge two segments, and workgroups that keep a large
 * device busy: as many as an H100 has multiprocessors, nearly.
 */
export const teamSegmentRows = 2048;
export const teamWorkgroups = 128;
