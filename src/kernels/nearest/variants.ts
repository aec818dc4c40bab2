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
  options: Pick<Kernel, 'constants' | 'aliases' | 'enables'>,
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

const naive = variant('naive', 64, naiveSource, { aliases: { ColumnElement: 'f32' } });
const register = variant('register', 256, registerSource, { constants: { LISTS: 4 } });

/** Rows that a subgroup shares out at a time, and vectors of four queries a lane: the best of the matrix product. */
const subgroupTile = 16;
const subgroupGroups = 2;

const bySubgroupSize = new Map<number, SearchVariant>();

function subgroup(lanes: number): SearchVariant {
  let made = bySubgroupSize.get(lanes);
  if (!made) {
    const constants = { LANES: lanes, TILE: Math.max(subgroupTile, lanes), GROUPS: subgroupGroups };
    made = variant('subgroup', 4 * subgroupGroups * lanes, unroll(subgroupSource, constants), {
      constants: { ...constants, LISTS: 4 * subgroupGroups },
      aliases: { BankElement: 'StoredPair' },
      enables: ['subgroups'],
    });
    bySubgroupSize.set(lanes, made);
  }
  return made;
}

/**
 * The searches that an adapter can run on rows of so many elements (a workgroup's queries must fit one binding), and the one
 * to take where nothing was measured.
 */
export function searchVariants(
  adapter: AdapterProfile,
  elements: number,
): { variants: readonly SearchVariant[]; preferred: SearchVariant } {
  const { subgroupSize: lanes, features, limits } = adapter;
  const all = [naive, register];
  const subgroups = features.has('subgroups') && lanes !== undefined && [4, 8, 16, 32].includes(lanes);
  if (subgroups) all.push(subgroup(lanes));
  const variants = all.filter(
    (each) => each.queriesPerGroup * elements * 4 <= limits.maxStorageBufferBindingSize || each === naive,
  );
  const wanted = subgroups && adapter.class !== 'hardware' ? 'subgroup' : 'register';
  return { variants, preferred: variants.find(({ name }) => name === wanted) ?? naive };
}
