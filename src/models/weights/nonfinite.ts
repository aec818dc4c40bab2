import { TilesightError } from '../../engine/errors.js';
import type { HostTensor, NamedTensors } from '../../engine/tensor.js';
import { printableName } from './elements.js';

/** Index of the first NaN or infinity, or -1. */
export function firstNonFinite(data: Float32Array): number {
  for (let i = 0; i < data.length; i++) {
    const value = data[i] ?? 0;
    // Zero for every finite number, NaN for all others.
    if (value - value !== 0) return i;
  }
  return -1;
}

/**
 * Refuses tensors that hold NaN or infinity. Shaders may assume that neither exists, so that the first ReLU would turn a NaN into 0 and
 * everything behind it would look normal. Throws `TilesightError('input')` with the tensor's name and the place in it.
 */
export function assertFinite(tensors: NamedTensors, where: string): void {
  for (const [name, tensor] of tensors) {
    const index = firstNonFinite(tensor.data);
    if (index < 0) continue;
    const value = tensor.data[index] ?? 0;
    const place = coordinates(tensor, index).join(', ');
    throw new TilesightError(
      'input',
      `${where}: tensor ${printableName(name)} holds ${value} at [${place}]; fetch or export the weights again`,
    );
  }
}

function coordinates({ shape }: HostTensor, index: number): number[] {
  const place: number[] = [];
  let rest = index;
  for (const size of shape.toReversed()) {
    place.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return place;
}
