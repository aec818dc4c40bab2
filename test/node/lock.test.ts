import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';

import { acquireLock } from '../../src/node/lock.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tilesight-lock-'));
});

const lockPath = (): string => join(folder, '.lock');
const write = (holder: object | string): void =>
  writeFileSync(lockPath(), typeof holder === 'string' ? holder : JSON.stringify(holder));

describe('acquireLock', () => {
  it('refuses a second holder in the same process, and works again after the release', () => {
    const lock = acquireLock(folder);
    expect(() => acquireLock(folder)).toThrow(/is in use by this process since .*: wait until it ends/);
    lock.release();
    lock.release();
    expect(existsSync(lockPath())).toBe(false);
    acquireLock(folder).release();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('refuses while another process is alive, naming it', () => {
    const other = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)'], { stdio: 'ignore' });
    try {
      write({ pid: other.pid, host: hostname(), started: '', since: '2026-01-01T00:00:00Z' });
      expect(() => acquireLock(folder)).toThrow(new RegExp(`in use by process ${String(other.pid)} since 2026-01-01`));
    } finally {
      other.kill('SIGKILL');
    }
  });

  it('takes over the lock of a dead process, of a reused process number, and a damaged one', () => {
    const dead = spawnSync(process.execPath, ['-e', 'console.log(process.pid)'], { encoding: 'utf8' });
    write({ pid: Number(dead.stdout), host: hostname(), started: '1', since: '' });
    acquireLock(folder).release();
    if (process.platform === 'linux') {
      write({ pid: process.pid, host: hostname(), started: '1', since: '' });
      acquireLock(folder).release();
    }
    write('{"pid": 1');
    const lock = acquireLock(folder);
    expect(JSON.parse(readFileSync(lockPath(), 'utf8'))).toMatchObject({ pid: process.pid, host: hostname() });
    lock.release();
  });

  it('never takes a lock from another host, and says which file to delete', () => {
    write({ pid: 1, host: 'elsewhere', started: '', since: '' });
    expect(() => acquireLock(folder)).toThrow(/process 1 on elsewhere.*if it is gone, delete .*\.lock$/);
  });

  it('leaves a lock alone that is no longer its own', () => {
    const lock = acquireLock(folder);
    write({ pid: 1, host: 'elsewhere', started: '', since: '' });
    lock.release();
    expect(existsSync(lockPath())).toBe(true);
  });

  it('is released at exit, and lets exactly one of several processes in', async () => {
    const script = join(folder, 'take.mjs');
    const register = new URL('../../scripts/register.mjs', import.meta.url).href;
    const source = new URL('../../src/node/lock.ts', import.meta.url).href;
    const run = join(folder, 'run');
    writeFileSync(
      script,
      `const { acquireLock } = await import(${JSON.stringify(source)});
       process.send('ready');
       process.once('message', () => {
         try { acquireLock(${JSON.stringify(run)}); process.send('locked'); } catch (error) { process.send(error.kind); }
       });
       process.on('disconnect', () => process.exit(0));`,
    );
    // A stale lock in the way, so that the takeover is what they race for.
    const { mkdirSync } = await import('node:fs');
    mkdirSync(run);
    writeFileSync(join(run, '.lock'), JSON.stringify({ pid: 999_999_999, host: hostname(), started: '', since: '' }));
    const { fork } = await import('node:child_process');
    const children = [1, 2, 3].map(() => fork(script, { execArgv: ['--import', register] }));
    const next = (child: (typeof children)[number]): Promise<unknown> =>
      new Promise((resolve) => child.once('message', resolve));
    await Promise.all(children.map(next));
    const answers = children.map(next);
    for (const child of children) child.send('go');
    const sorted = (await Promise.all(answers)).map(String).sort();
    expect(sorted).toEqual(['input', 'input', 'locked']);
    const ends = children.map((child) => new Promise((resolve) => child.once('exit', resolve)));
    for (const child of children) child.disconnect();
    await Promise.all(ends);
    expect(existsSync(join(run, '.lock'))).toBe(false);
  });
});
