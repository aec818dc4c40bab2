import type { AdapterProfile } from '../engine/adapter.js';
import { foldWorkgroups } from '../engine/kernel.js';
import type { ImageShape, Packing } from './shapes.js';

/** Workgroups of 64 threads, each of which walks down a strip of `columns` × `lines` outputs of one packed value. */
export function stripWorkgroups(
  out: ImageShape,
  packed: Packing,
  columns: number,
  lines: number,
): readonly [number, number, number] {
  const strips = (Math.ceil(out.width / columns) * out.channels) / packed.width;
  return [Math.ceil(strips / 64), Math.ceil(out.height / lines), out.batch];
}

/** Workgroups that keep all cores of a software adapter busy; starting more would cost it as much as a few outputs each. */
const fewWorkgroups = 64;

/** Whether an adapter can run kernels whose workgroups are one subgroup: fewer lanes have too many columns behind them. */
export function takesSubgroupStrips({ subgroupSize = 0 }: AdapterProfile): boolean {
  return subgroupSize >= 8;
}

/**
 * Work of kernels whose workgroups are one subgroup and go through strips one after the other: a strip is as many output
 * columns of one packed value as the subgroup has lanes, and up to 64 lines.
 */
export function subgroupStrips(
  { subgroupSize: lanes = 1, limits }: AdapterProfile,
  out: ImageShape,
  packed: Packing,
): {
  /** Fields of Params. */
  readonly parameters: {
    readonly count: number;
    readonly share: number;
    readonly strips_x: number;
    readonly strips_y: number;
    readonly lines: number;
  };
  readonly workgroups: readonly [number, number, number];
  /** Of a subgroup; the kernels' SUBGROUP. */
  readonly lanes: number;
} {
  const lines = Math.min(out.height, 64);
  const strips_x = Math.ceil(out.width / lanes);
  const strips_y = Math.ceil(out.height / lines);
  const count = (out.batch * strips_y * strips_x * out.channels) / packed.width;
  const share = Math.ceil(count / fewWorkgroups);
  return {
    parameters: { count, share, strips_x, strips_y, lines },
    workgroups: foldWorkgroups(Math.ceil(count / share), limits.maxComputeWorkgroupsPerDimension),
    lanes,
  };
}
