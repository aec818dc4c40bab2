import { mkdir, open, readFile, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { TilesightError } from '../engine/errors.js';
import type { SpillFile } from '../ensemble/image-store.js';
import type { RunStorage } from '../ensemble/run.js';
import { fileProblem, resolveInside, temporaryName, writeFileAtomic } from './files.js';

/** A run in a folder of the disk. Names inside it never lead out of it. */
export function folderStorage(folder: string): RunStorage {
  const path = (name: string): string => resolveInside(folder, name, `${folder}/run.json`);
  return {
    location: folder,
    read: async (name) => {
      try {
        return await readFile(path(name));
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        if (cause instanceof TilesightError) throw cause;
        throw new TilesightError('input', `${folder}/${name} cannot be read: ${fileProblem(cause)}`, { cause });
      }
    },
    write: (name, bytes) => writeFileAtomic(path(name), bytes),
    remove: (name) => rm(path(name), { force: true }),
  };
}

/**
 * A temporary file in `folder`. On systems that allow it the name is removed at once, so that the space comes back even
 * when the process is killed.
 */
export async function openSpillFile(folder: string): Promise<SpillFile> {
  await mkdir(folder, { recursive: true });
  const path = temporaryName(join(folder, 'images'));
  const failed = (cause: unknown): TilesightError =>
    new TilesightError(
      'input',
      `the temporary file ${path} failed: ${fileProblem(cause)}; free some space or set another --out`,
      { cause },
    );
  try {
    const handle = await open(path, 'wx+');
    const unlinked = await unlink(path).then(
      () => true,
      () => false,
    );
    return {
      write: async (offset, bytes) => {
        try {
          await handle.write(bytes, 0, bytes.length, offset);
        } catch (cause) {
          throw failed(cause);
        }
      },
      read: async (offset, target) => {
        const { bytesRead } = await handle.read(target, 0, target.length, offset);
        if (bytesRead !== target.length) throw failed(new Error('it is shorter than what was written'));
      },
      close: async () => {
        await handle.close();
        if (!unlinked) await rm(path, { force: true });
      },
    };
  } catch (cause) {
    throw cause instanceof TilesightError ? cause : failed(cause);
  }
}
