import type { AdapterProfile } from '../../engine/adapter.js';
import bankF16 from './bank-f16.wgsl';
import bankF32 from './bank-f32.wgsl';
import laneSums from './lane-sums.wgsl';
import ownSum from './own-sum.wgsl';

/** How a bank is stored. */
export type BankType = 'f32' | 'f16';

/** The fragment that reads a bank of the given type. */
export const bankSource: Readonly<Record<BankType, string>> = { f32: bankF32, f16: bankF16 };

/** How many threads sum a row together, and the fragment that does. */
export function rowSums(adapter: AdapterProfile): { readonly lanes: number; readonly source: string } {
  return adapter.class === 'hardware' ? { lanes: 16, source: laneSums } : { lanes: 1, source: ownSum };
}
