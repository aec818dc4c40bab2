import { TilesightError } from '../engine/errors.js';
import type { RunStorage } from './run.js';

/** Options of {@link fetchStorage}. */
export interface FetchStorageOptions {
  /** Replaces the global `fetch`: for headers, credentials and tests. */
  readonly fetch?: (url: string) => Promise<Response>;
}

/**
 * A run folder behind an HTTP server, to read only. Names inside it never lead out of it.
 *
 * @param address of the folder, relative to the page or absolute, with or without a slash at the end
 * @throws TilesightError `input` where the server does not answer or refuses; a missing file is undefined.
 */
export function fetchStorage(address: string, options: FetchStorageOptions = {}): RunStorage {
  const load = options.fetch ?? ((url: string) => fetch(url));
  const page = typeof location === 'undefined' ? undefined : location.href;
  const base = new URL(address.endsWith('/') ? address : `${address}/`, page).href;
  const readOnly = (name: string): Promise<never> =>
    Promise.reject(new TilesightError('input', `${base}${name}: a run behind a server is only read, train in Node`));
  return {
    location: base.slice(0, -1),
    write: readOnly,
    remove: readOnly,
    async read(name) {
      // Encoded, so that no name turns into an escape that a server would undo.
      const url = new URL(name.split('/').map(encodeURIComponent).join('/'), base).href;
      if (!url.startsWith(base)) {
        throw new TilesightError('input', `${base}run.json names ${JSON.stringify(name)}, which lies outside the run`);
      }
      let response: Response;
      try {
        response = await load(url);
      } catch (cause) {
        throw new TilesightError('input', `cannot fetch ${url}: ${String(cause)}; check the address and CORS`, {
          cause,
        });
      }
      if (response.status === 404 || response.status === 410) return undefined;
      if (!response.ok) {
        throw new TilesightError('input', `cannot fetch ${url}: status ${response.status}; check what the server says`);
      }
      try {
        return new Uint8Array(await response.arrayBuffer());
      } catch (cause) {
        throw new TilesightError('input', `${url}: the connection broke off (${String(cause)}); load it again`, {
          cause,
        });
      }
    },
  };
}
