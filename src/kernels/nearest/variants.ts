import type { AdapterProfile } from '../../engine/adapter.js';
import type { Variant } from '../../engine/graph.js';
import type { Kernel } from '../../engine/kernel.js';
import bankF16 from './bank-f16.wgsl';
import bankF32 from './bank-f32.wgsl';
import listSource from './list.wgsl';
import naiveSource from './search-naive.wgsl';
import registerSource from './search-register.wgsl';
import subgroupSource from './search-subgroup.wgsl';
import searchSource from './search.wgsl';
import { unroll } from '../unroll.js';

/** How a bank is stored. */
export type BankType = 'f32' | 'f16';

/** The fragment that reads a bank of the given type. */
export const bankSource: Readonly<Record<BankType, string>> = { f32: bankF32, f16: bankF16 };

/** One way to search a bank. */
export interface SearchVariant extends Variant {
  readonly queriesPerGroup: number;
  kernel(bank: BankType): Kernel;
}

function variant(
  name: string,
  queriesPerGroup: number,
  source: string,
  options: Pick<Kernel, 'constants' | 'enables'> = {},
): SearchVariant {
  const texts = {
    f32: [bankF32, listSource, searchSource, source].join('\n'),
    f16: [bankF16, listSource, searchSource, source].join('\n'),
  };
  return {
    name,
    queriesPerGroup,
    kernel: (bank) => ({
      name: `nearest/${name}-${bank}`,
      source: texts[bank],
      ...options,
    }),
  };
}

const naive = variant('naive', 64, naiveSource);
const register = variant('register', 256, registerSource);

/** Rows that a subgroup shares out at a time; more spill registers, fewer load too often (measured on lavapipe). */
const subgroupTile = 32;

const bySubgroupSize = new Map<number, SearchVariant>();

function subgroup(lanes: number): SearchVariant {
  let made = bySubgroupSize.get(lanes);
  if (!made) {
    const rows = subgroupTile / lanes;
    const text = unroll(subgroupSource, { ROWS: rows, LANES: lanes });
    made = variant('subgroup', 2 * lanes, text, { constants: { LANES: lanes, ROWS: rows }, enables: ['subgroups'] });
    bySubgroupSize.set(lanes, made);
  }
  return made;
}

/** The searches that an adapter can run, and the one to take where nothing was measured. */
export function searchVariants(adapter: AdapterProfile): { variants: SearchVariant[]; preferred: SearchVariant } {
  const { subgroupSize: lanes } = adapter;
  if (!adapter.features.has('subgroups') || lanes === undefined || lanes < 4 || subgroupTile % lanes !== 0) {
    return { variants: [naive, register], preferred: register };
  }
  const broadcast = subgroup(lanes);
  return {
    variants: [naive, register, broadcast],
    preferred: adapter.class === 'hardware' ? register : broadcast,
  };
}
