import type { IncomingMessage } from 'node:http';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { TilesightError } from '../engine/errors.js';
import { fileProblem, sha256File, writeFileAtomic } from './files.js';
import { get } from './http.js';
import { acquireLock } from './lock.js';

/** Options of {@link downloadFile}. */
export interface DownloadOptions {
  /** The digest that the file must have, in hexadecimal digits. */
  readonly sha256?: string;
  /** Told as bytes arrive; `total` is undefined when the server does not say. */
  readonly onProgress?: (received: number, total: number | undefined) => void;
  /** Give up on a connection that brings nothing for so long, and try again; default 30,000. */
  readonly stallMilliseconds?: number;
  /** How often to go on after a broken connection before giving up; default 4. */
  readonly retries?: number;
  /** Pause before the first retry, doubled each time; default 1,000. */
  readonly retryMilliseconds?: number;
  /** Refuse larger files; default 4 GiB. */
  readonly maximumBytes?: number;
  readonly signal?: AbortSignal;
}

/** A finished download. */
export interface Downloaded {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
  /** What vouches for the bytes: a digest given by the caller, one stated by the server, or nothing. */
  readonly trust: 'pinned' | 'stated' | 'none';
}

/** What is known of a partly fetched file. `validator` tells whether the server still has the same one. */
interface PartState {
  readonly url: string;
  readonly validator: string | undefined;
  readonly total: number | undefined;
  readonly digest: string | undefined;
}

/** A failure that a further attempt may mend. */
class Transient extends Error {}

/** Answers whose cause passes by itself. */
const transientStatuses: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

/**
 * Fetches a file over http or https: streamed to the disk, continued with a range request where it broke off (in this
 * run or an earlier one, if the server still has the same file), checked by SHA-256, and only then put at its name.
 * Redirects are followed, but never from https to http; the environment's proxy is used; `TILESIGHT_OFFLINE=1` forbids
 * it all. A second process that wants the same file at the same time is refused.
 *
 * @throws TilesightError `input` in one line with what to do; `cancelled` when the signal fires. What has arrived so far
 *   is kept for the next attempt, unless its digest is wrong.
 */
export async function downloadFile(url: string, target: string, options: DownloadOptions = {}): Promise<Downloaded> {
  if (process.env['TILESIGHT_OFFLINE'] === '1') {
    throw new TilesightError(
      'input',
      `TILESIGHT_OFFLINE=1 forbids downloading ${url}: unset it, or import the file instead`,
    );
  }
  const work = `${target}.download`;
  const lock = acquireLock(work);
  try {
    let resumed = await attemptAll(url, work, options);
    let result = await check(url, work, options);
    // A file pieced together from two versions can only be told by its digest: once more, from the start.
    if (!result && resumed) {
      resumed = await attemptAll(url, work, options);
      result = await check(url, work, options);
    }
    if (!result) {
      throw new TilesightError(
        'input',
        `the file from ${url} does not have the expected SHA-256: it was changed or damaged on the way, try again later ` +
          'or use another mirror (TILESIGHT_MIRROR)',
      );
    }
    await mkdir(dirname(target), { recursive: true });
    await rename(join(work, 'part'), target);
    lock.release();
    await rm(work, { recursive: true, force: true });
    return { path: target, ...result };
  } catch (cause) {
    if (cause instanceof TilesightError) throw cause;
    throw new TilesightError(
      'input',
      `cannot store ${url} as ${target}: ${fileProblem(cause)}; free space or change TILESIGHT_CACHE`,
      {
        cause,
      },
    );
  } finally {
    lock.release();
  }
}

/** Digest and size of the finished part; undefined, with the part removed, when it is not what was asked for. */
async function check(
  url: string,
  work: string,
  options: DownloadOptions,
): Promise<Omit<Downloaded, 'path'> | undefined> {
  const part = join(work, 'part');
  const actual = await sha256File(part);
  const stated = (await readState(work, url))?.digest;
  const expected = options.sha256?.toLowerCase() ?? stated;
  if (expected !== undefined && expected !== actual) {
    await rm(part, { force: true });
    await rm(join(work, 'state.json'), { force: true });
    return undefined;
  }
  const trust = options.sha256 !== undefined ? 'pinned' : stated !== undefined ? 'stated' : 'none';
  return { bytes: (await stat(part)).size, sha256: actual, trust };
}

/** Attempts until the part is complete. Returns whether it was continued from an earlier piece at any time. */
async function attemptAll(url: string, work: string, options: DownloadOptions): Promise<boolean> {
  const retries = options.retries ?? 4;
  let resumed = false;
  for (let attempt = 0; ; attempt++) {
    try {
      resumed = (await attemptOnce(url, work, options)) || resumed;
      return resumed;
    } catch (cause) {
      assertNotCancelled(options.signal, url);
      if (!(cause instanceof Transient)) throw cause;
      if (attempt >= retries) {
        throw new TilesightError(
          'input',
          `cannot download ${url}: ${cause.message}; run the same command again, it goes on where it stopped`,
          { cause },
        );
      }
      const pause = (options.retryMilliseconds ?? 1000) * 2 ** attempt;
      await sleep(pause, undefined, { signal: options.signal }).catch(() => undefined);
      assertNotCancelled(options.signal, url);
    }
  }
}

function assertNotCancelled(signal: AbortSignal | undefined, url: string): void {
  if (signal?.aborted)
    throw new TilesightError('cancelled', `the download of ${url} was cancelled; it can be continued later`);
}

async function readState(work: string, url: string): Promise<PartState | undefined> {
  try {
    const state = JSON.parse(await readFile(join(work, 'state.json'), 'utf8')) as PartState;
    return state.url === url ? state : undefined;
  } catch {
    return undefined;
  }
}

/** One connection. Returns whether it went on from an earlier piece. */
async function attemptOnce(url: string, work: string, options: DownloadOptions): Promise<boolean> {
  const part = join(work, 'part');
  const state = await readState(work, url);
  const size = await stat(part).then(
    (stats) => stats.size,
    () => 0,
  );
  if (state?.total !== undefined && size === state.total && size > 0) return true;
  // Without a validator only the caller's digest can tell whether the pieces belong together.
  const mayResume = state !== undefined && size > 0 && (state.validator !== undefined || options.sha256 !== undefined);
  const offset = mayResume && !(state.total !== undefined && size > state.total) ? size : 0;

  const watch = watchStalls(options);
  try {
    const { response, digest } = await request(url, offset, state?.validator, watch.signal);
    const start = await startOf(response, offset, url, work);
    const total = totalOf(response, start);
    const limit = options.maximumBytes ?? 2 ** 32;
    if (total !== undefined && total > limit) throw tooLarge(url, total, limit);
    const next: PartState = { url, validator: validatorOf(response), total, digest };
    await writeFileAtomic(join(work, 'state.json'), JSON.stringify(next));
    await receive(response, part, start, total, limit, url, watch, options.onProgress);
    return start > 0;
  } catch (cause) {
    if (cause instanceof TilesightError || cause instanceof Transient) throw cause;
    if (watch.stalled()) throw new Transient(`nothing arrived for ${(options.stallMilliseconds ?? 30_000) / 1000} s`);
    if (isDiskProblem(cause)) throw cause;
    throw new Transient(networkProblem(cause));
  } finally {
    watch.stop();
  }
}

/** A signal that fires when nothing has arrived for too long, or when the caller cancels. */
interface StallWatch {
  readonly signal: AbortSignal;
  alive(): void;
  stalled(): boolean;
  stop(): void;
}

function watchStalls(options: DownloadOptions): StallWatch {
  const controller = new AbortController();
  let stalled = false;
  const timer = setTimeout(() => {
    stalled = true;
    controller.abort();
  }, options.stallMilliseconds ?? 30_000);
  const cancel = (): void => controller.abort();
  if (options.signal?.aborted) cancel();
  options.signal?.addEventListener('abort', cancel, { once: true });
  return {
    signal: controller.signal,
    alive: () => timer.refresh(),
    stalled: () => stalled,
    stop: () => {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', cancel);
      // Ends the connection of a response that was not read to its end.
      controller.abort();
    },
  };
}

async function request(
  url: string,
  offset: number,
  validator: string | undefined,
  signal: AbortSignal,
): Promise<{ response: IncomingMessage; digest: string | undefined }> {
  const headers: Record<string, string> = { 'user-agent': 'tilesight', 'accept-encoding': 'identity' };
  if (offset > 0) {
    headers['range'] = `bytes=${offset}-`;
    if (validator !== undefined) headers['if-range'] = validator;
  }
  let current = new URL(url);
  let digest: string | undefined;
  for (let hop = 0; hop <= 8; hop++) {
    const response = await get(current, headers, signal);
    const status = response.statusCode ?? 0;
    // Hugging Face states the SHA-256 of large files in this header of its redirect.
    const linked = response.headers['x-linked-etag'];
    const stated = typeof linked === 'string' ? /^"?([0-9a-f]{64})"?$/.exec(linked)?.[1] : undefined;
    digest = stated ?? digest;
    if (![301, 302, 303, 307, 308].includes(status)) {
      if (status === 200 || status === 206 || status === 416) return { response, digest };
      response.resume();
      const answer = `the server answered ${status} ${response.statusMessage ?? ''}`.trim();
      if (transientStatuses.has(status)) throw new Transient(answer);
      throw new TilesightError(
        'input',
        `cannot download ${current.href}: ${answer}; check the address or the mirror (TILESIGHT_MIRROR), or import a file`,
      );
    }
    response.resume();
    const { location } = response.headers;
    if (!location || !URL.canParse(location, current)) {
      throw new TilesightError(
        'input',
        `cannot download ${url}: it redirects to nowhere; check the address or the mirror`,
      );
    }
    const next = new URL(location, current);
    if (!/^https?:$/.test(next.protocol) || (current.protocol === 'https:' && next.protocol === 'http:')) {
      throw new TilesightError(
        'input',
        `cannot download ${url}: it redirects to ${next.protocol}//${next.host}, which is not protected; use another mirror`,
      );
    }
    current = next;
  }
  throw new TilesightError(
    'input',
    `cannot download ${url}: it redirects without end; check the address or the mirror`,
  );
}

/** Where in the file the response starts: the asked offset, or 0 when the server sends it from the beginning. */
async function startOf(response: IncomingMessage, offset: number, url: string, work: string): Promise<number> {
  const encoding = response.headers['content-encoding'];
  if (encoding && encoding !== 'identity') {
    throw new TilesightError(
      'input',
      `cannot download ${url}: the server sends it compressed unasked; use another mirror`,
    );
  }
  if (response.statusCode === 200) return 0;
  const range = /^bytes (\d+)-\d+\/(?:\d+|\*)$/.exec(response.headers['content-range'] ?? '');
  if (response.statusCode === 206 && offset > 0 && Number(range?.[1]) === offset) return offset;
  // The piece on the disk does not fit to what the server has: start anew.
  response.resume();
  await rm(join(work, 'part'), { force: true });
  throw new Transient('the server does not continue where the download broke off');
}

function totalOf(response: IncomingMessage, start: number): number | undefined {
  const whole = /\/(\d+)$/.exec(response.headers['content-range'] ?? '')?.[1];
  if (response.statusCode === 206 && whole !== undefined) return Number(whole);
  const length = response.headers['content-length'];
  return length === undefined ? undefined : start + Number(length);
}

/** A strong ETag, else the date of the last change: what `If-Range` accepts. */
function validatorOf(response: IncomingMessage): string | undefined {
  const { etag } = response.headers;
  return etag && !etag.startsWith('W/') ? etag : response.headers['last-modified'];
}

function tooLarge(url: string, bytes: number, limit: number): TilesightError {
  return new TilesightError(
    'input',
    `cannot download ${url}: it has ${bytes} bytes and at most ${limit} are accepted; check the address`,
  );
}

async function receive(
  response: IncomingMessage,
  part: string,
  start: number,
  total: number | undefined,
  limit: number,
  url: string,
  watch: StallWatch,
  onProgress: DownloadOptions['onProgress'],
): Promise<void> {
  const handle = await open(part, start > 0 ? 'r+' : 'w');
  let position = start;
  try {
    onProgress?.(position, total);
    for await (const chunk of response as AsyncIterable<Uint8Array>) {
      watch.alive();
      if (position + chunk.length > Math.min(total ?? limit, limit))
        throw tooLarge(url, position + chunk.length, total ?? limit);
      await handle.write(chunk, 0, chunk.length, position);
      position += chunk.length;
      onProgress?.(position, total);
    }
    await handle.truncate(position);
    await handle.sync();
  } finally {
    await handle.close();
  }
  if (total !== undefined && position < total)
    throw new Transient(`the connection ended after ${position} of ${total} bytes`);
}

function isDiskProblem(cause: unknown): boolean {
  const code = cause instanceof Error ? (cause as NodeJS.ErrnoException).code : undefined;
  return code !== undefined && ['ENOSPC', 'EDQUOT', 'EACCES', 'EROFS', 'EISDIR', 'EIO'].includes(code);
}

function networkProblem(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  switch ((cause as NodeJS.ErrnoException).code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'the host name cannot be resolved (no network? behind a proxy set HTTPS_PROXY)';
    case 'ECONNREFUSED':
      return 'the connection was refused';
    case 'ECONNRESET':
      return 'the connection broke off';
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return `the certificate is not trusted (${cause.message}; behind an inspecting proxy set NODE_EXTRA_CA_CERTS)`;
    default:
      return cause.message.replace(/\s+/g, ' ');
  }
}
