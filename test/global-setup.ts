import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

import { withoutKnownWarnings } from '../src/node/native-warnings.js';

/**
 * Opens the adapter once, in a process of its own, and fails the run when there is none: nothing may pass by doing
 * nothing. What it finds is handed to the test files, so that only this process looks, downloads and speaks about it.
 */
export default function setup(): void {
  const child = spawnSync(process.execPath, ['--import', './scripts/register.mjs', 'test/open-adapter.ts'], {
    cwd: dirname(dirname(fileURLToPath(import.meta.url))),
    encoding: 'utf8',
    timeout: 600_000,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const notes = withoutKnownWarnings(child.stderr).trim();
  if (child.status !== 0) {
    const why = child.signal
      ? `the driver ended the process with ${child.signal}`
      : `status ${child.status ?? 'unknown'}`;
    throw new Error(`the tests need a WebGPU adapter: ${notes || `${why}; update the graphics driver`}`);
  }
  if (notes) console.error(notes);
  const { source } = JSON.parse(child.stdout) as { source: string };
  process.env['TILESIGHT_ADAPTER'] = source;
  process.env['TILESIGHT_TEST'] = '1';
}
