import { TilesightError } from '../../engine/errors.js';
import type { BufferView, Tensor } from '../../engine/graph.js';
import { formatBytes } from '../../engine/memory.js';

/** Chunks begin at multiples of so many rows, which keeps every binding's offset aligned. */
export const rowGrain = 64;

/** Rows of a matrix that are bound together. */
export interface RowChunk {
  readonly first: number;
  readonly count: number;
}

/** Cuts rows into chunks that fit one binding and have at most `most` rows. */
export function rowChunks(rows: number, bytesPerRow: number, limit: number, what: string, most = Infinity): RowChunk[] {
  const fit = Math.min(limit / bytesPerRow, most);
  const whole = Math.floor(fit / rowGrain) * rowGrain;
  if (whole === 0 && rows > fit) {
    throw new TilesightError(
      'memory',
      `${what}: ${rowGrain} rows of ${formatBytes(bytesPerRow)} pass what the device binds, ${formatBytes(limit)}`,
    );
  }
  const size = rows <= fit ? rows : whole;
  const chunks: RowChunk[] = [];
  for (let first = 0; first < rows; first += size) chunks.push({ first, count: Math.min(size, rows - first) });
  return chunks;
}

/** The part of a matrix's memory that holds a chunk of its rows. */
export function rowView(tensor: Tensor, { first, count }: RowChunk, bytesPerRow: number): BufferView {
  return { tensor, offsetBytes: first * bytesPerRow, sizeBytes: count * bytesPerRow };
}
