import { TilesightError } from '../engine/errors.js';

/** A regular file of a tar archive. */
export interface TarEntry {
  /** Path inside the archive, as written there: not to be trusted as a path on the disk. */
  readonly name: string;
  readonly data: Uint8Array;
}

const blockSize = 512;
const decoder = new TextDecoder();

function text(header: Uint8Array, start: number, length: number): string {
  const field = header.subarray(start, start + length);
  const end = field.indexOf(0);
  return decoder.decode(end < 0 ? field : field.subarray(0, end));
}

function octal(header: Uint8Array, start: number, length: number, source: string): number {
  const digits = text(header, start, length).trim();
  if (!/^[0-7]*$/.test(digits)) throw damaged(source, 'a number is not octal');
  return digits === '' ? 0 : parseInt(digits, 8);
}

function damaged(source: string, what: string): TilesightError {
  return new TilesightError('input', `${source} is not a sound tar archive (${what}): fetch it again`);
}

/** The sum over the header with its own field read as spaces, which tells a header from anything else. */
function checksumHolds(header: Uint8Array, source: string): boolean {
  let sum = 0;
  for (let i = 0; i < blockSize; i++) sum += i >= 148 && i < 156 ? 32 : (header[i] ?? 0);
  return sum === octal(header, 148, 8, source);
}

/** The path in a pax extended header: lines of `<length> path=<value>\n`. */
function paxPath(data: Uint8Array): string | undefined {
  return /(?:^|\n)\d+ path=([^\n]*)\n/.exec(decoder.decode(data))?.[1];
}

/**
 * Reads a tar archive (ustar with pax or GNU long names) from a stream of blocks of any size and yields the regular files
 * whose name `wanted` accepts; the others pass through without being kept.
 *
 * @param source what to call the archive in messages
 * @param maximumBytes the largest file to accept
 * @throws TilesightError `input` when the archive is cut off, damaged or holds a larger wanted file.
 */
export async function* readTar(
  blocks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  wanted: (name: string) => boolean,
  source: string,
  maximumBytes = 2 ** 30,
): AsyncGenerator<TarEntry> {
  const reader = new BlockReader(blocks, source);
  let longName: string | undefined;
  for (;;) {
    const header = await reader.take(blockSize);
    if (!header || header.every((byte) => byte === 0)) return;
    if (!checksumHolds(header, source)) throw damaged(source, 'a header does not match its checksum');
    const size = octal(header, 124, 12, source);
    const type = String.fromCharCode(header[156] ?? 0);
    const prefix = text(header, 257, 5) === 'ustar' ? text(header, 345, 155) : '';
    const name = longName ?? (prefix ? `${prefix}/${text(header, 0, 100)}` : text(header, 0, 100));
    const padding = (blockSize - (size % blockSize)) % blockSize;
    const describesNext = type === 'x' || type === 'L';
    const isWanted = (type === '0' || type === '\0') && wanted(name);
    if (!describesNext && !isWanted) {
      await reader.skip(size + padding);
      if (type !== 'g') longName = undefined;
      continue;
    }
    if (size > (describesNext ? 2 ** 20 : maximumBytes)) throw damaged(source, `${name} claims ${size} bytes`);
    const data = await reader.take(size);
    if (!data && size > 0) throw damaged(source, 'it ends early');
    await reader.skip(padding);
    const bytes = data ?? new Uint8Array(0);
    if (describesNext) {
      longName = type === 'L' ? text(bytes, 0, bytes.length) : paxPath(bytes);
    } else {
      longName = undefined;
      yield { name, data: bytes };
    }
  }
}

/** Cuts a stream of blocks of any size into stretches of the asked size. */
class BlockReader {
  readonly #blocks: AsyncIterator<Uint8Array> | Iterator<Uint8Array>;
  #rest = new Uint8Array(0);

  constructor(
    blocks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    readonly source: string,
  ) {
    this.#blocks = Symbol.asyncIterator in blocks ? blocks[Symbol.asyncIterator]() : blocks[Symbol.iterator]();
  }

  async #more(): Promise<boolean> {
    const next = await this.#blocks.next();
    if (next.done) return false;
    this.#rest = new Uint8Array(next.value);
    return true;
  }

  /** The next `count` bytes; undefined when the stream had ended before them. */
  async take(count: number): Promise<Uint8Array | undefined> {
    const parts: Uint8Array[] = [];
    let missing = count;
    while (missing > 0) {
      if (this.#rest.length === 0 && !(await this.#more())) {
        if (missing === count) return undefined;
        throw damaged(this.source, 'it ends early');
      }
      const part = this.#rest.subarray(0, missing);
      this.#rest = this.#rest.subarray(part.length);
      parts.push(part);
      missing -= part.length;
    }
    const result = new Uint8Array(count);
    let offset = 0;
    for (const part of parts) {
      result.set(part, offset);
      offset += part.length;
    }
    return result;
  }

  async skip(count: number): Promise<void> {
    let missing = count;
    while (missing > 0) {
      if (this.#rest.length === 0 && !(await this.#more())) throw damaged(this.source, 'it ends early');
      const skipped = Math.min(missing, this.#rest.length);
      this.#rest = this.#rest.subarray(skipped);
      missing -= skipped;
    }
  }
}
