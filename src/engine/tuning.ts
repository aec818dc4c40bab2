import * as v from 'valibot';
import type { Gpu } from './gpu.js';
import type { VariantTable } from './plan.js';

/** What a tuning table is valid for: another driver may have other winners. */
export interface TuningKey {
  readonly adapter: string;
  readonly driver: string;
  /** Version of the kernels; raised whenever variants change. */
  readonly kernels: number;
}

/** Version of the set of kernel variants that tables were measured with. */
export const kernelSetVersion = 2;

const schema = v.object({
  key: v.object({ adapter: v.string(), driver: v.string(), kernels: v.number() }),
  winners: v.record(v.string(), v.string()),
});

/** The key of tables measured on this device. */
export function tuningKey(gpu: Gpu): TuningKey {
  return { adapter: gpu.profile.name, driver: gpu.driver, kernels: kernelSetVersion };
}

/** A table as text, winners in the order of their keys. */
export function encodeTuning(key: TuningKey, winners: VariantTable): string {
  const sorted = [...winners].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return `${JSON.stringify({ key, winners: Object.fromEntries(sorted) }, undefined, 1)}\n`;
}

/**
 * Reads a table. One that is damaged or was measured on something else is not used; `problem` then says so in a line.
 */
export function decodeTuning(text: string, key: TuningKey): { winners?: VariantTable; problem?: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { problem: 'the tuning table is damaged and not used: measure again with `tilesight bench kernels --tune`' };
  }
  const parsed = v.safeParse(schema, value);
  if (!parsed.success) {
    return { problem: 'the tuning table is damaged and not used: measure again with `tilesight bench kernels --tune`' };
  }
  const { key: stored, winners } = parsed.output;
  if (stored.adapter !== key.adapter || stored.driver !== key.driver || stored.kernels !== key.kernels) {
    return {
      problem:
        'the tuning table is of another driver or version and not used: measure again with `tilesight bench kernels --tune`',
    };
  }
  return { winners: new Map(Object.entries(winners)) };
}
