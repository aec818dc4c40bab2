import type { AdapterProfile } from '../engine/adapter.js';
import type { VariantTable } from '../engine/plan.js';

/**
 * Choices of common adapters where a variant was measured to be a tenth faster than what the rules prefer, by the key of a
 * tuning table: `tilesight bench kernels --tune`, run twice, with the same winner both times.
 */
const winners = {
  /** H100 80GB HBM3, driver 580.159.04, batches of 8. */
  nvidia: {
    'conv2d|16x16x192-64 k1x1 s1x1 p0.0.0.0 d1x1 g1': 'splitk',
    'conv2d|16x16x256-256 k3x3 s1x1 p1.1.1.1 d1x1 g1': 'winograd4',
    'conv2d|32x32x192-32 k1x1 s1x1 p0.0.0.0 d1x1 g1': 'splitk',
    'conv2d|64x64x64-128 k3x3 s2x2 p1.1.1.1 d1x1 g1': 'shared',
  },
} satisfies Readonly<Record<string, Readonly<Record<string, string>>>>;

/** The table that ships for an adapter; empty where the rules are all there is. One measured on the adapter itself goes before it. */
export function shippedTable({ class: kind, name }: AdapterProfile): VariantTable {
  return new Map(kind === 'hardware' && /nvidia/i.test(name) ? Object.entries(winners.nvidia) : []);
}
