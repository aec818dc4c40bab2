import { mkdtemp, mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';

import { cacheFolder, cacheRoot } from '../../src/node/cache.js';
import {
  compareCodePoints,
  isInside,
  listFiles,
  resolveInside,
  sha256,
  sha256File,
  writeFileAtomic,
} from '../../src/node/files.js';
import { residentMemory } from '../../src/node/peak-memory.js';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tilesight-files-'));
});

describe('writeFileAtomic', () => {
  it('writes, replaces and leaves nothing beside the file', async () => {
    const path = join(folder, 'deep', 'er', 'run.json');
    await writeFileAtomic(path, 'first');
    await writeFileAtomic(path, new TextEncoder().encode('second'));
    expect(await readFile(path, 'utf8')).toBe('second');
    expect(await readdir(join(folder, 'deep', 'er'))).toEqual(['run.json']);
  });

  it('keeps the old bytes when writing fails half way', async () => {
    const path = join(folder, 'run.json');
    await writeFileAtomic(path, 'old');
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    const attempt = writeFileAtomic(path, async (handle) => {
      await handle.write('half of the ne');
      throw full;
    });
    await expect(attempt).rejects.toThrow(/cannot write .*run\.json: no space left on the disk; free some space/);
    expect(await readFile(path, 'utf8')).toBe('old');
    expect(await readdir(folder)).toEqual(['run.json']);
  });

  it.runIf(process.platform === 'linux')('names the file when the device is full', async () => {
    const attempt = writeFileAtomic(join(folder, 'a'), async (handle) => {
      const { open } = await import('node:fs/promises');
      const full = await open('/dev/full', 'w');
      try {
        await full.writeFile('x'.repeat(100_000));
      } finally {
        await full.close();
      }
      await handle.write('unreached');
    });
    await expect(attempt).rejects.toThrow(/no space left on the disk/);
  });

  it('says what to do when the place is not a folder', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(writeFileAtomic(join(folder, 'file', 'run.json'), '')).rejects.toMatchObject({
      kind: 'input',
      message: expect.stringMatching(/choose a folder that you can write/) as string,
    });
  });
});

describe('digests', () => {
  it('agree with the published value for "abc" and between bytes and file', async () => {
    const expected = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
    expect(sha256('abc')).toBe(expected);
    await writeFile(join(folder, 'abc'), 'abc');
    expect(await sha256File(join(folder, 'abc'))).toBe(expected);
    const large = new Uint8Array(3 * 2 ** 20 + 7).fill(5);
    await writeFile(join(folder, 'large'), large);
    expect(await sha256File(join(folder, 'large'))).toBe(sha256(large));
  });
});

describe('paths', () => {
  it('tells inside from outside by name, not by prefix', () => {
    expect(isInside('/data/run', 'tiles/0-0.safetensors')).toBe(true);
    expect(isInside('/data/run', '..hidden/x')).toBe(true);
    expect(isInside('/data/run', '/data/run')).toBe(true);
    expect(isInside('/data/run', '../run2/x')).toBe(false);
    expect(isInside('/data/run', '/data/run2')).toBe(false);
    expect(isInside('/data/run', 'a/../../x')).toBe(false);
  });

  it('refuses paths out of the root, saying where they were read', () => {
    expect(resolveInside('/data/run', 'tiles/a', 'run.json')).toBe('/data/run/tiles/a');
    for (const bad of ['../x', '/etc/passwd', 'a/../../x', 'C:\\x', 'a\0b']) {
      expect(() => resolveInside('/data/run', bad, 'run.json')).toThrow(/run\.json names .* outside \/data\/run/);
    }
  });

  it('sorts by code point', () => {
    const names = ['b', '\u{1F600}', 'B', '\uFF5E', 'a10', 'a9', 'ä', 'a'];
    expect([...names].sort(compareCodePoints)).toEqual(['B', 'a', 'a10', 'a9', 'b', 'ä', '\uFF5E', '\u{1F600}']);
  });
});

describe('listFiles', () => {
  it('lists files below a folder, sorted, without hidden ones and without following links to folders', async () => {
    await mkdir(join(folder, 'good'));
    await mkdir(join(folder, '.git'));
    for (const name of ['good/10.png', 'good/9.PNG', 'good/.DS_Store', '.git/x.png', 'b.txt', 'B.png']) {
      await writeFile(join(folder, name), '');
    }
    await symlink(folder, join(folder, 'loop'));
    await symlink(join(folder, 'B.png'), join(folder, 'link.png'));
    expect(await listFiles(folder, { extensions: ['.png'] })).toEqual([
      'B.png',
      'good/10.png',
      'good/9.PNG',
      'link.png',
    ]);
    expect(await listFiles(folder, { recursive: false })).toEqual(['B.png', 'b.txt', 'link.png']);
  });

  it('says which folder is missing', async () => {
    await expect(listFiles(join(folder, 'none'))).rejects.toThrow(/cannot list the folder .*none: it does not exist/);
  });
});

describe('cache folder', () => {
  it('follows TILESIGHT_CACHE, then XDG_CACHE_HOME, then the platform', () => {
    expect(cacheRoot({ TILESIGHT_CACHE: '/a', XDG_CACHE_HOME: '/b' }, 'linux')).toBe('/a');
    expect(cacheRoot({ XDG_CACHE_HOME: '/b' }, 'linux')).toBe('/b/tilesight');
    expect(cacheRoot({ XDG_CACHE_HOME: 'relative' }, 'linux')).toBe(join(homedir(), '.cache', 'tilesight'));
    expect(cacheRoot({}, 'darwin')).toBe(join(homedir(), 'Library', 'Caches', 'tilesight'));
    expect(cacheRoot({ LOCALAPPDATA: '/l' }, 'win32')).toBe('/l/tilesight/Cache');
  });

  it('is made on demand, and an unusable one is named', async () => {
    try {
      vi.stubEnv('TILESIGHT_CACHE', join(folder, 'cache'));
      expect(cacheFolder('weights', 'x')).toBe(join(folder, 'cache', 'weights', 'x'));
      expect(await readdir(join(folder, 'cache', 'weights'))).toEqual(['x']);
      await writeFile(join(folder, 'file'), '');
      vi.stubEnv('TILESIGHT_CACHE', join(folder, 'file'));
      expect(() => cacheFolder('weights')).toThrow(/file\/weights cannot be made .* point TILESIGHT_CACHE at a folder/);
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it('falls back to a private temporary folder when the home folder cannot be written', async () => {
    try {
      await writeFile(join(folder, 'file'), '');
      vi.stubEnv('TILESIGHT_CACHE', '');
      vi.stubEnv('XDG_CACHE_HOME', join(folder, 'file'));
      vi.stubEnv('TMPDIR', folder);
      expect(cacheFolder('npm')).toMatch(/tilesight-cache-[^/]+\/npm$/);
    } finally {
      vi.unstubAllEnvs();
    }
  });
});

describe('residentMemory', () => {
  it('sees a large array come and never lets the peak fall', () => {
    const before = residentMemory();
    const block = new Uint8Array(64 * 2 ** 20).fill(1);
    const during = residentMemory();
    expect(block[5]).toBe(1);
    expect(during.now - before.now).toBeGreaterThan(40 * 2 ** 20);
    expect(during.peak).toBeGreaterThanOrEqual(Math.max(during.now, before.peak));
  });
});
