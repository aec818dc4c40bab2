import { TilesightError } from '../engine/errors.js';
import type { AdapterProfile } from '../engine/adapter.js';
import type { BufferView, Tensor } from '../engine/graph.js';
import { formatBytes } from '../engine/memory.js';
import { elementCount } from '../engine/tensor.js';

/** Elements of the packed lower triangle of a `size × size` matrix, row by row: (i, j) is at i(i+1)/2 + j. */
export function packedTriangle(size: number): number {
  return (size * (size + 1)) / 2;
}

/** A run of positions that one dispatch handles, with the part of a tensor that holds them. */
export interface PositionChunk {
  readonly first: number;
  readonly count: number;
  readonly view: BufferView;
  /** 32-bit words of the view in front of the first position: a view can only start at aligned bytes. */
  readonly skip: number;
}

/**
 * Cuts a tensor `[positions, …]` of 32-bit words into runs of positions that each fit one binding. A single run where the
 * tensor fits whole.
 *
 * @param also bytes a position of another tensor that is cut in the same runs, each starting at its own first byte.
 * @throws TilesightError `memory` where not even one position fits.
 */
export function positionChunks(tensor: Tensor, adapter: AdapterProfile, also = 0): PositionChunk[] {
  const { maxStorageBufferBindingSize: limit, minStorageBufferOffsetAlignment: alignment } = adapter.limits;
  const positions = tensor.shape[0] ?? 0;
  const positionBytes = (elementCount(tensor.shape) / positions) * 4;
  const whole = positions * positionBytes <= limit;
  // A view that starts between two aligned bytes reaches a little further back.
  const room = whole ? limit : limit - alignment;
  const most = Math.min(positions, Math.floor(room / positionBytes), also > 0 ? Math.floor(limit / also) : positions);
  if (most < 1) {
    throw new TilesightError(
      'memory',
      `${tensor.name} takes ${formatBytes(Math.max(positionBytes, also))} a position, the device binds at most ` +
        `${formatBytes(limit)}: use fewer dimensions or a smaller batch`,
    );
  }
  const chunks: PositionChunk[] = [];
  for (let first = 0; first < positions; first += most) {
    const count = Math.min(most, positions - first);
    const begin = first * positionBytes;
    const offsetBytes = Math.floor(begin / alignment) * alignment;
    const sizeBytes = begin + count * positionBytes - offsetBytes;
    chunks.push({ first, count, view: { tensor, offsetBytes, sizeBytes }, skip: (begin - offsetBytes) / 4 });
  }
  return chunks;
}
