import type { AdapterProfile } from '../engine/adapter.js';
import type { VariantTable } from '../engine/plan.js';

/**
 * Choices of common adapters where a variant was measured to be faster than what the rules prefer, by the key of a
 * tuning table: `tilesight bench kernels --tune`, run twice, with the same winner both times. The driver stands in the comment.
 */
const winners = {
  lavapipe: {},
  nvidia: {},
} satisfies Readonly<Record<string, Readonly<Record<string, string>>>>;

/** The table that ships for an adapter; empty where the rules are all there is. A table measured on the adapter itself goes before it. */
export function shippedTable({ class: kind, name }: AdapterProfile): VariantTable {
  if (kind === 'lavapipe') return new Map(Object.entries(winners.lavapipe));
  if (kind === 'hardware' && /nvidia/i.test(name)) return new Map(Object.entries(winners.nvidia));
  return new Map();
}
