import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';

import { TilesightError } from '../engine/errors.js';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Where downloads are kept: `TILESIGHT_CACHE`, else `XDG_CACHE_HOME/tilesight`, else what the platform uses. Names the
 * folder only; {@link cacheFolder} makes it.
 */
export function cacheRoot(
  environment: Environment = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  const own = environment['TILESIGHT_CACHE'];
  if (own) return own;
  const xdg = environment['XDG_CACHE_HOME'];
  // The XDG specification tells programs to ignore a relative path here.
  if (xdg && isAbsolute(xdg)) return join(xdg, 'tilesight');
  if (platform === 'win32') {
    return join(environment['LOCALAPPDATA'] ?? join(homedir(), 'AppData', 'Local'), 'tilesight', 'Cache');
  }
  if (platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'tilesight');
  return join(homedir(), '.cache', 'tilesight');
}

/**
 * A folder of the cache, made when missing. Where the home folder cannot be written (service accounts, read-only
 * containers) a private folder under the system's temporary one takes its place; a `TILESIGHT_CACHE` that cannot be
 * written is an error, because the user asked for that very place.
 */
export function cacheFolder(...names: readonly string[]): string {
  const folder = join(cacheRoot(), ...names);
  try {
    mkdirSync(folder, { recursive: true });
    return folder;
  } catch (cause) {
    if (process.env['TILESIGHT_CACHE']) {
      throw new TilesightError(
        'input',
        `the cache folder ${folder} cannot be made (${reason(cause)}): point TILESIGHT_CACHE at a folder you can write`,
        { cause },
      );
    }
  }
  const user = typeof process.getuid === 'function' ? String(process.getuid()) : 'user';
  const root = join(tmpdir(), `tilesight-cache-${user}`);
  const fallback = join(root, ...names);
  try {
    mkdirSync(root, { recursive: true, mode: 0o700 });
    // Others may write to the temporary folder: what is loaded from here must be this user's own.
    const stats = lstatSync(root);
    if (!stats.isDirectory() || (typeof process.getuid === 'function' && stats.uid !== process.getuid())) {
      throw new Error('it belongs to another user');
    }
    chmodSync(root, 0o700);
    mkdirSync(fallback, { recursive: true });
    return fallback;
  } catch (cause) {
    throw new TilesightError(
      'input',
      `no folder for the cache: neither ${folder} nor ${root} can be written (${reason(cause)}); ` +
        'point TILESIGHT_CACHE at a folder you can write',
      { cause },
    );
  }
}

function reason(cause: unknown): string {
  return cause instanceof Error ? ((cause as NodeJS.ErrnoException).code ?? cause.message) : String(cause);
}
