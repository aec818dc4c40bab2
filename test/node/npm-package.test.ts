import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { TilesightError } from '../../src/engine/errors.js';
import { fetchPackageFiles, type PinnedPackage } from '../../src/node/npm-package.js';
import { readTar, type TarEntry } from '../../src/node/tar.js';

/** One tar member: header and padded data. */
function member(name: string, data: Uint8Array | string, type = '0', prefix = ''): Buffer {
  const body = Buffer.from(data);
  const header = Buffer.alloc(512);
  header.write(name, 0, 100);
  header.write('0000644\0', 100);
  header.write(`${body.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write('        ', 148);
  header.write(type, 156);
  header.write('ustar\x0000', 257, 'latin1');
  header.write(prefix, 345, 155);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}

const end = Buffer.alloc(1024);

async function entries(archive: Uint8Array, block = archive.length || 1): Promise<TarEntry[]> {
  const blocks: Uint8Array[] = [];
  for (let i = 0; i < archive.length; i += block) blocks.push(archive.subarray(i, i + block));
  const found: TarEntry[] = [];
  for await (const entry of readTar(blocks, (name) => !name.startsWith('skip'), 'the archive', 2 ** 16))
    found.push(entry);
  return found;
}

describe('readTar', () => {
  const long = `${'deep/'.repeat(40)}file.txt`;
  const archive = Buffer.concat([
    member('first.txt', 'one'),
    member('skip.bin', new Uint8Array(5000).fill(9)),
    member('folder', '', '5'),
    member('link', '', '2'),
    member('name.txt', 'two', '0', 'with/prefix'),
    member('pax', `${String(long.length + 10)} path=${long}\n`, 'x'),
    member('short', 'three'),
    member('././@LongLink', `${long}2\0`, 'L'),
    member('short', ''),
    member('last.txt', new Uint8Array(512).fill(65)),
    end,
  ]);

  it('yields regular files with their full names, whatever the size of the blocks', async () => {
    const expected = ['first.txt', 'with/prefix/name.txt', long, `${long}2`, 'last.txt'];
    for (const block of [1, 7, 512, 100_000]) {
      const found = await entries(archive, block);
      expect(found.map((entry) => entry.name)).toEqual(expected);
      expect(found.map((entry) => entry.data.length)).toEqual([3, 3, 5, 0, 512]);
      expect(Buffer.from(found[2]?.data ?? []).toString()).toBe('three');
    }
  });

  it('gives a parse or a typed error for any cut and any flipped byte', async () => {
    const outcome = async (bytes: Uint8Array): Promise<void> => {
      try {
        await entries(bytes, 700);
      } catch (error) {
        expect(error).toBeInstanceOf(TilesightError);
        expect((error as Error).message).toMatch(/^the archive is not a sound tar archive \(.*\): fetch it again$/);
      }
    };
    for (let length = 0; length < archive.length; length += 61) await outcome(archive.subarray(0, length));
    await fc.assert(
      fc.asyncProperty(fc.nat(archive.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const damaged = Uint8Array.from(archive);
        damaged[at] = (damaged[at] ?? 0) ^ flip;
        await outcome(damaged);
      }),
      { numRuns: 300 },
    );
  });

  it('refuses an absurd length before making room for it', async () => {
    const huge = member('a', 'x');
    huge.write('77777777777\0', 124);
    huge.write('        ', 148);
    const sum = huge.subarray(0, 512).reduce((total, byte) => total + byte, 0);
    huge.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    await expect(entries(huge)).rejects.toThrow(/a claims 8589934591 bytes/);
  });
});

describe('fetchPackageFiles', () => {
  const tarball = gzipSync(
    Buffer.concat([
      member('package/package.json', '{}'),
      member('package/dist/a.js', 'alpha'),
      member('package/b.bin', 'beta'),
      end,
    ]),
  );
  const pinned: PinnedPackage = {
    name: '@scope/tilesight-no-such-package',
    version: '1.2.3',
    integrity: `sha512-${createHash('sha512').update(tarball).digest('base64')}`,
  };
  let cache = '';
  let packed = 0;
  const pack = async (spec: string, folder: string): Promise<string> => {
    packed++;
    expect(spec).toBe('@scope/tilesight-no-such-package@1.2.3');
    const path = join(folder, 'package.tgz');
    await writeFile(path, tarball);
    return path;
  };

  beforeEach(async () => {
    cache = await mkdtemp(join(tmpdir(), 'tilesight-npm-'));
    packed = 0;
    vi.stubEnv('TILESIGHT_CACHE', cache);
    vi.stubEnv('TILESIGHT_OFFLINE', '');
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
  });

  it('unpacks the named files once, says so, and serves them from the cache afterwards', async () => {
    const notices: string[] = [];
    const options = { pack, purpose: 'the thing', onNotice: (line: string) => notices.push(line) };
    const paths = await fetchPackageFiles(pinned, ['b.bin', 'dist/a.js'], options);
    expect(await Promise.all(paths.map((path) => readFile(path, 'utf8')))).toEqual(['beta', 'alpha']);
    expect(await fetchPackageFiles(pinned, ['dist/a.js'], options)).toEqual([paths[1]]);
    expect(packed).toBe(1);
    expect(notices).toEqual(['fetching the thing, @scope/tilesight-no-such-package@1.2.3, through npm, once …']);
    const folder = dirname(paths[0] ?? '');
    expect((await readdir(folder)).sort()).toEqual(['b.bin', 'b.bin.sha256', 'dist']);
    vi.stubEnv('TILESIGHT_OFFLINE', '1');
    expect(await fetchPackageFiles(pinned, ['b.bin'], options)).toEqual([paths[0]]);
  });

  it('fetches a damaged file again', async () => {
    const [path = ''] = await fetchPackageFiles(pinned, ['b.bin'], { pack });
    await writeFile(path, 'bets');
    await fetchPackageFiles(pinned, ['b.bin'], { pack });
    expect(await readFile(path, 'utf8')).toBe('beta');
    expect(packed).toBe(2);
  });

  it('is safe when several do it at once', async () => {
    const all = await Promise.all([1, 2, 3].map(() => fetchPackageFiles(pinned, ['b.bin', 'dist/a.js'], { pack })));
    for (const paths of all) expect(await readFile(paths[1] ?? '', 'utf8')).toBe('alpha');
  });

  it('refuses other bytes than the pinned ones, a missing file, and fetching when offline', async () => {
    const wrong = { ...pinned, integrity: 'sha512-AAAA' };
    await expect(fetchPackageFiles(wrong, ['b.bin'], { pack })).rejects.toThrow(
      /with other bytes than the pinned ones/,
    );
    await expect(fetchPackageFiles(pinned, ['none'], { pack })).rejects.toThrow(/holds no none/);
    vi.stubEnv('TILESIGHT_OFFLINE', '1');
    await expect(fetchPackageFiles(pinned, ['c'], { pack, purpose: 'the thing' })).rejects.toThrow(
      /^the thing is not in the cache and TILESIGHT_OFFLINE=1 forbids fetching it: .*npm install --no-save @scope/,
    );
    expect(existsSync(join(cache, 'npm', '@scope+tilesight-no-such-package-1.2.3', 'b.bin'))).toBe(false);
  });

  it('takes an installed package of exactly this version', async () => {
    const project = await mkdtemp(join(tmpdir(), 'tilesight-project-'));
    const installed = join(project, 'node_modules', pinned.name);
    await mkdir(join(installed, 'dist'), { recursive: true });
    await writeFile(join(installed, 'dist/a.js'), 'alpha');
    vi.spyOn(process, 'cwd').mockReturnValue(project);
    await writeFile(join(installed, 'package.json'), JSON.stringify({ version: '1.2.4' }));
    expect((await fetchPackageFiles(pinned, ['dist/a.js'], { pack }))[0]).toMatch(new RegExp(`^${cache}`));
    await writeFile(join(installed, 'package.json'), JSON.stringify({ version: '1.2.3' }));
    expect(await fetchPackageFiles(pinned, ['dist/a.js'], { pack })).toEqual([join(installed, 'dist/a.js')]);
    expect(packed).toBe(1);
  });

  it('says in one line when npm cannot reach its registry', async () => {
    vi.stubEnv('npm_config_registry', 'http://127.0.0.1:9/');
    vi.stubEnv('npm_config_fetch_retries', '0');
    vi.stubEnv('npm_config_cache', join(cache, 'npm-cache'));
    const error: unknown = await fetchPackageFiles(pinned, ['b.bin']).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ kind: 'input' });
    expect((error as Error).message).toMatch(
      /^npm could not fetch @scope\/tilesight-no-such-package@1\.2\.3 \(ECONNREFUSED.*\): check the network/,
    );
    expect((error as Error).message).not.toContain('\n');
  });
});
