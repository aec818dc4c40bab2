import { formatImageSize, type RgbImage } from '../data/image.js';
import { TilesightError } from '../engine/errors.js';

/** Bytes outside of memory; implemented by `node/` as a temporary file that vanishes with the process. */
export interface SpillFile {
  /** Writes bytes at an offset, past the end too. */
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /** Fills `target` with what was written from the offset on. */
  read(offset: number, target: Uint8Array): Promise<void>;
  /** Frees the file and its space. */
  close(): Promise<void>;
}

/** Origin and size of a tile, in pixels of its image; it may reach over the right and bottom edges. */
export interface TileRect {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** Bytes of decoded images that are kept in memory before the rest goes to disk. */
export const imageStoreMemory = 2 ** 30;

/**
 * Decoded images of one size, kept as 8-bit RGB: each is decoded once, whatever the number of tile positions that read
 * from it. Overlapping tiles share their pixels, so a store is never larger than the images. Past `memoryBytes` the
 * images go to a temporary file, from which a tile is read row by row.
 */
export class ImageStore {
  readonly #inMemory = new Map<number, Uint8Array>();
  readonly #onDisk = new Map<number, number>();
  #memory = 0;
  #spilled = 0;
  #spill: Promise<SpillFile> | undefined;

  constructor(
    readonly height: number,
    readonly width: number,
    private readonly openSpill: (() => Promise<SpillFile>) | undefined,
    private readonly memoryBytes = imageStoreMemory,
  ) {}

  /** Bytes in memory and on disk. */
  get bytes(): { memory: number; disk: number } {
    return { memory: this.#memory, disk: this.#spilled };
  }

  /** Adds the image with this index. */
  async add(index: number, image: RgbImage): Promise<void> {
    if (image.height !== this.height || image.width !== this.width) {
      throw new TilesightError(
        'input',
        `image ${index} is ${formatImageSize(image)}, the store holds ${formatImageSize(this)}`,
      );
    }
    if (this.#memory + image.data.length <= this.memoryBytes || !this.openSpill) {
      this.#inMemory.set(index, image.data);
      this.#memory += image.data.length;
      return;
    }
    const offset = this.#spilled;
    this.#spilled += image.data.length;
    this.#spill ??= this.openSpill();
    await (await this.#spill).write(offset, image.data);
    this.#onDisk.set(index, offset);
  }

  /** Copies one tile into `target` (`height · width · 3` bytes), zeros beyond the image's edges. */
  async readTile(index: number, rect: TileRect, target: Uint8Array): Promise<void> {
    const rows = Math.max(0, Math.min(rect.height, this.height - rect.top));
    const bytes = Math.max(0, Math.min(rect.width, this.width - rect.left)) * 3;
    const rowBytes = rect.width * 3;
    if (rows < rect.height || bytes < rowBytes) target.fill(0);
    const image = this.#inMemory.get(index);
    if (image) {
      for (let row = 0; row < rows; row++) {
        const start = ((rect.top + row) * this.width + rect.left) * 3;
        target.set(image.subarray(start, start + bytes), row * rowBytes);
      }
      return;
    }
    const offset = this.#onDisk.get(index);
    const spill = await this.#spill;
    if (offset === undefined || !spill) throw new Error(`image ${index} is not in the store`);
    if (bytes === 0 || rows === 0) return;
    if (bytes === this.width * 3 && rect.left === 0 && bytes === rowBytes) {
      await spill.read(offset + rect.top * bytes, target.subarray(0, rows * bytes));
      return;
    }
    // One read over all rows when the tile is a good part of the image, else a read a row.
    const span = (rows - 1) * this.width * 3 + bytes;
    const start = offset + (rect.top * this.width + rect.left) * 3;
    if (span <= 4 * rows * bytes) {
      const block = new Uint8Array(span);
      await spill.read(start, block);
      for (let row = 0; row < rows; row++) {
        const at = row * this.width * 3;
        target.set(block.subarray(at, at + bytes), row * rowBytes);
      }
      return;
    }
    for (let row = 0; row < rows; row++) {
      await spill.read(start + row * this.width * 3, target.subarray(row * rowBytes, row * rowBytes + bytes));
    }
  }

  /** Frees memory and the temporary file. */
  async close(): Promise<void> {
    this.#inMemory.clear();
    this.#onDisk.clear();
    const spill = await this.#spill;
    await spill?.close();
  }
}
