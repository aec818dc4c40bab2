import { existsSync } from 'node:fs';
import { join } from 'node:path';

const root = process.env['TILESIGHT_SHARED'] ?? '../shared';

if (!existsSync(root)) console.log(`no material at ${root} (TILESIGHT_SHARED): tests that need it are skipped`);

/** Path of a file of the material for development, which may be absent. */
export function sharedFile(path: string): string {
  return join(root, path);
}
