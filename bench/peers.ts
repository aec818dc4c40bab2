import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TilesightError } from '../src/engine/errors.js';

const folder = fileURLToPath(new URL('peers/', import.meta.url));

/** The peers' own package.json: they are no dependency of the project. */
export const peersManifest = join(folder, 'package.json');

/** A file of an installed peer. */
export function peerFile(path: string): URL {
  return new URL(`peers/node_modules/${path}`, import.meta.url);
}

/** Installs the peers from their lock file where that has not been done; `notice` is told before the download. */
export function installPeers(notice: (line: string) => void): void {
  const lock = readFileSync(join(folder, 'package-lock.json'), 'utf8');
  const stamp = join(folder, 'node_modules', '.installed-lock.json');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  notice('installing the peers into bench/peers/node_modules (about 500 MB unpacked) …');
  const windows = process.platform === 'win32';
  const result = spawnSync(
    windows ? 'npm.cmd' : 'npm',
    ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'],
    {
      cwd: folder,
      stdio: ['ignore', 2, 2],
      shell: windows,
    },
  );
  if (result.status !== 0) {
    throw new TilesightError(
      'input',
      'the peers could not be installed: check the network and run again, or leave out --peers',
    );
  }
  writeFileSync(stamp, lock);
}

/** Versions of the peers, by their lock file. */
export function peerVersions(): Record<string, string> {
  const manifest = JSON.parse(readFileSync(peersManifest, 'utf8')) as { dependencies: Record<string, string> };
  return manifest.dependencies;
}
