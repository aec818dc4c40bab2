import {
  closeSync,
  constants,
  copyFileSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';

import { TilesightError } from '../engine/errors.js';
import { fileProblem, temporaryName } from './files.js';

/** Who holds a lock. `started` tells a process from a later one with the same number, where the system says it. */
interface Holder {
  readonly pid: number;
  readonly host: string;
  readonly started: string;
  readonly since: string;
}

/** A held lock. */
export interface Lock {
  readonly path: string;
  /** Gives the lock up; harmless when called twice. */
  release(): void;
}

/** When a process started, in the kernel's ticks since boot; empty where there is no `/proc`. */
function startTime(pid: number): string {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in brackets and may hold anything; the 22nd is the start time.
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

function isAlive(holder: Holder): boolean {
  try {
    process.kill(holder.pid, 0);
  } catch (cause) {
    // EPERM: it runs, as another user.
    if ((cause as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const started = startTime(holder.pid);
  return holder.started === '' || started === '' || started === holder.started;
}

function parseHolder(text: string): Holder | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    const { pid, host, started, since } = value as Partial<Record<keyof Holder, unknown>>;
    if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid <= 0 || typeof host !== 'string') return undefined;
    return {
      pid,
      host,
      started: typeof started === 'string' ? started : '',
      since: typeof since === 'string' ? since : '',
    };
  } catch {
    return undefined;
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw cause;
  }
}

/** Links the prepared file to the lock's name: atomic, and fails when the name is taken. */
function claim(prepared: string, path: string): boolean {
  try {
    linkSync(prepared, path);
    return true;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS') throw cause;
  }
  // File systems without hard links (memory cards, some network drives): the name is still taken atomically.
  try {
    copyFileSync(prepared, path, constants.COPYFILE_EXCL);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw cause;
  }
}

/**
 * Keeps two processes from working on one run folder: makes `folder/.lock`, which names this process and host. The lock
 * of a process that no longer runs on this host is taken over. It is released by `release` and when the process exits.
 *
 * @throws TilesightError `input` when another process holds it, with its number, host and what to do.
 */
export function acquireLock(folder: string): Lock {
  const path = join(folder, '.lock');
  const own: Holder = {
    pid: process.pid,
    host: hostname(),
    started: startTime(process.pid),
    since: new Date().toISOString(),
  };
  const text = JSON.stringify(own);
  const prepared = temporaryName(path);
  try {
    mkdirSync(folder, { recursive: true });
    const handle = openSync(prepared, 'wx');
    writeSync(handle, text);
    fsyncSync(handle);
    closeSync(handle);
    // Each round ends with the lock, with its holder's name, or with a dead holder's lock out of the way.
    for (let round = 0; round < 10; round++) {
      if (claim(prepared, path)) return held(path, text);
      const current = read(path);
      if (current === undefined) continue;
      const holder = parseHolder(current);
      if (holder && (holder.host !== own.host || isAlive(holder))) throw refusal(folder, path, holder, own.host);
      takeAway(path, current);
    }
    throw new TilesightError('input', `${folder} is being opened by several processes at once: try again`);
  } catch (cause) {
    if (cause instanceof TilesightError) throw cause;
    throw new TilesightError(
      'input',
      `cannot lock ${folder}: ${fileProblem(cause)}; choose a folder that you can write`,
      {
        cause,
      },
    );
  } finally {
    rmSync(prepared, { force: true });
  }
}

/** Removes a dead holder's lock; when it turns out to be another one by now, that one is put back. */
function takeAway(path: string, expected: string): void {
  const aside = temporaryName(path);
  try {
    renameSync(path, aside);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw cause;
  }
  if (read(aside) !== expected) claim(aside, path);
  rmSync(aside, { force: true });
}

function held(path: string, text: string): Lock {
  let active = true;
  const release = (): void => {
    if (!active) return;
    active = false;
    process.removeListener('exit', release);
    try {
      if (read(path) === text) rmSync(path, { force: true });
    } catch {
      // A lock that cannot be removed names a process that is gone, so the next one takes it over.
    }
  };
  process.once('exit', release);
  return { path, release };
}

function refusal(folder: string, path: string, holder: Holder, host: string): TilesightError {
  const since = holder.since ? ` since ${holder.since}` : '';
  if (holder.host === host) {
    const who = holder.pid === process.pid ? 'this process' : `process ${holder.pid}`;
    return new TilesightError(
      'input',
      `${folder} is in use by ${who}${since}: wait until it ends or choose another folder`,
    );
  }
  return new TilesightError(
    'input',
    `${folder} is in use by process ${holder.pid} on ${holder.host}${since}: wait until it ends; if it is gone, delete ${path}`,
  );
}
