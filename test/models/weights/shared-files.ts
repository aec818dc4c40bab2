import { existsSync } from 'node:fs';
import { join } from 'node:path';

const root = process.env['TILESIGHT_SHARED'] ?? '../shared';

/** Path of a file of the material for development, which may be absent. */
export function sharedFile(path: string): string {
  return join(root, path);
}

/** Arguments of a test's `skip`: whether a file of the material is absent, and the reason in words. */
export function absent(path: string): [boolean, string] {
  return [!existsSync(path), `needs ${path}, which is not here (TILESIGHT_SHARED names another folder)`];
}
