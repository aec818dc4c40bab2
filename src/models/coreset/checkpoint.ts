import type { HostTensor, NamedTensors } from '../../engine/tensor.js';

/** Where a selection stands. */
export interface SelectionState {
  readonly picks: Uint32Array;
  /** Squared distance of each row to the nearest pick. */
  readonly minimum: Float32Array;
}

/** A selection's state as tensors of floats. Row numbers are kept as two halves of 16 bits, which floats hold exactly. */
export function writeCheckpoint(
  picks: Uint32Array,
  minimum: Float32Array,
  agreement: readonly number[],
): Map<string, HostTensor> {
  const halves = new Float32Array(2 * picks.length);
  picks.forEach((pick, index) => {
    halves[2 * index] = pick >>> 16;
    halves[2 * index + 1] = pick & 0xffff;
  });
  return new Map([
    ['coreset.agreement', { shape: [agreement.length], data: Float32Array.from(agreement) }],
    ['coreset.picks', { shape: [picks.length, 2], data: halves }],
    ['coreset.minimum', { shape: [minimum.length], data: minimum.slice() }],
  ]);
}

/** The state in a checkpoint; undefined when there is none or it belongs to another selection. */
export function readCheckpoint(
  stored: NamedTensors | undefined,
  agreement: readonly number[],
): SelectionState | undefined {
  const known = stored?.get('coreset.agreement')?.data;
  const halves = stored?.get('coreset.picks')?.data;
  const minimum = stored?.get('coreset.minimum')?.data;
  const [rows = 0] = agreement;
  if (!known || !halves || minimum?.length !== rows || halves.length < 2) return undefined;
  if (agreement.some((value, index) => Math.fround(value) !== known[index])) return undefined;
  const picks = Uint32Array.from(
    { length: halves.length / 2 },
    (_, index) => (halves[2 * index] ?? 0) * 65_536 + (halves[2 * index + 1] ?? 0),
  );
  return picks.every((pick) => pick < rows) ? { picks, minimum } : undefined;
}
