import { mkdir, readFile, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { FileTree, FolderEntry } from '../data/files.js';
import { loadDataset, type DatasetOptions } from '../data/layouts/detect.js';
import type { LoadedDataset } from '../data/layouts/layout.js';
import { TilesightError } from '../engine/errors.js';

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';

/** Codes of a path that is not there, or is no folder or no file. */
const absent: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'EISDIR']);

function readError(where: string, error: unknown): TilesightError {
  const reason = codeOf(error) || (error instanceof Error ? error.message : String(error));
  return new TilesightError('input', `${where}: cannot be read (${reason}); check its permissions`, { cause: error });
}

/** Whether an entry is a folder, links followed; a link that leads nowhere is a file. */
async function isFolder(entry: { isDirectory(): boolean; isSymbolicLink(): boolean }, where: string): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry.isDirectory();
  return stat(where).then(
    (target) => target.isDirectory(),
    () => false,
  );
}

/** The folders and files below a folder of the disk. */
export function nodeFileTree(root: string): FileTree {
  const absolute = path.resolve(root);
  const resolve = (name: string): string => path.resolve(absolute, name);
  return {
    root: absolute.split(path.sep).join('/'),
    locate: (name) => resolve(name).split(path.sep).join('/'),
    async list(folder) {
      const where = resolve(folder);
      try {
        const entries = await readdir(where, { withFileTypes: true });
        return await Promise.all(
          entries.map(async (entry): Promise<FolderEntry> => ({
            name: entry.name,
            isFolder: await isFolder(entry, path.join(where, entry.name)),
          })),
        );
      } catch (error) {
        if (absent.has(codeOf(error))) return undefined;
        throw readError(where, error);
      }
    },
    async readText(name) {
      const where = resolve(name);
      try {
        return await readFile(where, 'utf8');
      } catch (error) {
        if (absent.has(codeOf(error))) return undefined;
        throw readError(where, error);
      }
    },
  };
}

/** Loads the data set in a folder of the disk; see `loadDataset`. Relative folders in the options start there. */
export function openDataset(folder: string, options: DatasetOptions = {}): Promise<LoadedDataset> {
  return loadDataset(nodeFileTree(folder), options);
}

/** Makes a folder and those above it where they are missing. */
export async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
}
