import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';

import { TilesightError } from '../engine/errors.js';

/** What went wrong with a file, in a few words; system errors are translated into the user's terms. */
export function fileProblem(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  switch ((cause as NodeJS.ErrnoException).code) {
    case 'ENOENT':
      return 'it does not exist';
    case 'EACCES':
    case 'EPERM':
      return 'permission denied';
    case 'EISDIR':
      return 'it is a folder';
    case 'ENOTDIR':
      return 'a part of its path is not a folder';
    case 'ENOSPC':
    case 'EDQUOT':
      return 'no space left on the disk';
    case 'EROFS':
      return 'the file system is read-only';
    case 'EMFILE':
    case 'ENFILE':
      return 'too many open files';
    default:
      return cause.message.replace(/\s+/g, ' ').trim();
  }
}

function writeRemedy(cause: unknown): string {
  const code = cause instanceof Error ? (cause as NodeJS.ErrnoException).code : undefined;
  return code === 'ENOSPC' || code === 'EDQUOT'
    ? 'free some space or choose another folder, then run the same command again'
    : 'choose a folder that you can write';
}

/** Makes the entry of a renamed file survive a power cut. Windows has no such call and needs none. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Writes a file so that its path holds either the old bytes or all the new ones, whatever happens: written beside it
 * as `name.tmp-<pid>-<random>`, synced, renamed, and the folder synced. Missing folders are made.
 *
 * @param content all bytes, or a function that writes them through the handle (for what does not fit into memory).
 * @throws TilesightError `input` naming the file, e.g. when the disk is full; the temporary file is removed.
 */
export async function writeFileAtomic(
  path: string,
  content: Uint8Array | string | ((handle: FileHandle) => Promise<void>),
): Promise<void> {
  const temporary = temporaryName(path);
  try {
    await mkdir(dirname(path), { recursive: true });
    const handle = await open(temporary, 'wx');
    try {
      if (typeof content === 'function') await content(handle);
      else await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    if (cause instanceof TilesightError) throw cause;
    throw new TilesightError('input', `cannot write ${path}: ${fileProblem(cause)}; ${writeRemedy(cause)}`, { cause });
  }
}

/** A name beside `path` that no other process uses. */
export function temporaryName(path: string): string {
  return `${path}.tmp-${process.pid}-${randomBytes(4).toString('hex')}`;
}

/** SHA-256 of bytes, as lower-case hexadecimal digits. */
export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** SHA-256 of a file, read in blocks. Fails with the file system's own error when it cannot be read. */
export async function sha256File(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const block of createReadStream(path, { highWaterMark: 2 ** 20 })) hash.update(block as Uint8Array);
  return hash.digest('hex');
}

/** Whether `path` (relative paths are taken from `root`) is `root` itself or lies inside it; purely by name. */
export function isInside(root: string, path: string): boolean {
  const way = relative(resolve(root), resolve(root, path));
  return way === '' || (!isAbsolute(way) && way !== '..' && !way.startsWith(`..${sep}`));
}

/**
 * Joins a path from untrusted data (a manifest, a CSV file, an archive) to a root folder.
 *
 * @throws TilesightError `input` when it would lead outside; `source` says where the path was read.
 */
export function resolveInside(root: string, path: string, source: string): string {
  if (path.includes('\0') || isAbsolute(path) || /^[A-Za-z]:/.test(path) || !isInside(root, path)) {
    throw new TilesightError(
      'input',
      `${source} names ${JSON.stringify(path)}, which lies outside ${root}: correct it`,
    );
  }
  return resolve(root, path);
}

/** Compares by Unicode code points: the same order on every machine and in every locale. */
export function compareCodePoints(a: string, b: string): number {
  // UTF-16 order differs from code-point order only where surrogates meet the characters above them.
  const left = Array.from(a);
  const right = Array.from(b);
  const length = Math.min(left.length, right.length);
  for (let i = 0; i < length; i++) {
    const difference = (left[i]?.codePointAt(0) ?? 0) - (right[i]?.codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

async function isFile(path: string): Promise<boolean> {
  // A dangling link counts: whoever reads it then says that it leads nowhere.
  return stat(path).then(
    (stats) => stats.isFile(),
    () => true,
  );
}

/** Options of {@link listFiles}. */
export interface ListOptions {
  /** Lower-case endings with the dot (`.png`); default all files. */
  readonly extensions?: readonly string[];
  /** Also those in subfolders; default true. */
  readonly recursive?: boolean;
}

/**
 * Files below a folder as paths relative to it with forward slashes, sorted by code point. Hidden files and folders
 * (leading dot, `__MACOSX`) are left out; links to files count, links to folders are not followed.
 *
 * @throws TilesightError `input` when the folder is missing or cannot be read.
 */
export async function listFiles(root: string, options: ListOptions = {}): Promise<string[]> {
  const found: string[] = [];
  const visit = async (folder: string, prefix: string): Promise<void> => {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (entry.name.startsWith('.') || entry.name === '__MACOSX') continue;
      const name = prefix + entry.name;
      if (entry.isDirectory()) {
        if (options.recursive !== false) await visit(join(folder, entry.name), `${name}/`);
      } else if (entry.isFile() || (entry.isSymbolicLink() && (await isFile(join(folder, entry.name))))) {
        const lower = entry.name.toLowerCase();
        if (!options.extensions || options.extensions.some((extension) => lower.endsWith(extension))) found.push(name);
      }
    }
  };
  try {
    await visit(root, '');
  } catch (cause) {
    throw new TilesightError('input', `cannot list the folder ${root}: ${fileProblem(cause)}; check the path`, {
      cause,
    });
  }
  return found.sort(compareCodePoints);
}
