import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createGunzip } from 'node:zlib';

import { TilesightError } from '../engine/errors.js';
import { cacheFolder, cacheRoot } from './cache.js';
import { sha256, sha256File, writeFileAtomic } from './files.js';
import { readTar } from './tar.js';

/** A published npm package whose bytes are pinned. */
export interface PinnedPackage {
  readonly name: string;
  readonly version: string;
  /** The tarball's digest as npm writes it: `sha512-` and base64. */
  readonly integrity: string;
}

/** Options of {@link fetchPackageFiles}. */
export interface FetchPackageOptions {
  /** Told once, before something is fetched. */
  readonly onNotice?: (line: string) => void;
  /** What the files are for, in the notice and in errors; default the package's name. */
  readonly purpose?: string;
  /** Makes the tarball in a folder and returns its path; default `npm pack`. For tests. */
  readonly pack?: (spec: string, folder: string) => Promise<string>;
}

/**
 * Files of a pinned npm package as paths on the disk, without installing the package: from `node_modules` when that very
 * version is there, else from the cache, else fetched through npm itself (so that the user's registry, proxy and
 * certificates hold), checked against the pinned digest and unpacked file by file. Several processes may do this at once.
 *
 * @param files paths inside the package, e.g. `dist/index.js`
 * @returns the path of each file, in the order of `files`
 * @throws TilesightError `input` when npm or the network fails, or the bytes are not the pinned ones.
 */
export async function fetchPackageFiles(
  pinned: PinnedPackage,
  files: readonly string[],
  options: FetchPackageOptions = {},
): Promise<string[]> {
  const installed = installedPackage(pinned, files);
  if (installed) return files.map((file) => join(installed, file));

  const name = join('npm', `${pinned.name.replace('/', '+')}-${pinned.version}`);
  const cached = files.map((file) => join(cacheRoot(), name, file));
  if ((await Promise.all(cached.map(isIntact))).every(Boolean)) return cached;

  const spec = `${pinned.name}@${pinned.version}`;
  const purpose = options.purpose ?? pinned.name;
  if (process.env['TILESIGHT_OFFLINE'] === '1') {
    throw new TilesightError(
      'input',
      `${purpose} is not in the cache and TILESIGHT_OFFLINE=1 forbids fetching it: unset that once, or run ` +
        `\`npm install --no-save ${spec}\``,
    );
  }
  const root = cacheFolder(name);
  const folder = await mkdtemp(join(root, 'fetch-'));
  try {
    options.onNotice?.(`fetching ${purpose}, ${spec}, through npm, once …`);
    const tarball = await (options.pack ?? npmPack)(spec, folder);
    await checkIntegrity(tarball, pinned);
    const wanted = new Set(files.map((file) => `package/${file}`));
    const gunzip = createGunzip();
    const stream = createReadStream(tarball);
    stream.on('error', (error) => gunzip.destroy(error));
    stream.pipe(gunzip);
    const found = new Set<string>();
    for await (const entry of readTar(gunzip as AsyncIterable<Uint8Array>, (path) => wanted.has(path), spec)) {
      const file = entry.name.slice('package/'.length);
      const path = join(root, file);
      // The digest goes first: a file without one, or with another one, is fetched again.
      await writeFileAtomic(`${path}.sha256`, sha256(entry.data));
      await writeFileAtomic(path, entry.data);
      found.add(file);
    }
    stream.destroy();
    const missing = files.find((file) => !found.has(file));
    if (missing) throw new TilesightError('input', `${spec} holds no ${missing}: report this as a defect of Tilesight`);
    return files.map((file) => join(root, file));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function isIntact(path: string): Promise<boolean> {
  try {
    return (await readFile(`${path}.sha256`, 'utf8')) === (await sha256File(path));
  } catch {
    return false;
  }
}

/** The package's folder in a `node_modules` above this file or the working folder, if it is this version. */
function installedPackage(pinned: PinnedPackage, files: readonly string[]): string | undefined {
  for (const start of [dirname(fileURLToPath(import.meta.url)), process.cwd()]) {
    for (let folder = start, parent = ''; folder !== parent; folder = dirname(folder)) {
      parent = dirname(folder);
      const root = join(folder, 'node_modules', pinned.name);
      if (!existsSync(join(root, 'package.json'))) continue;
      const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version?: unknown };
      if (manifest.version === pinned.version && files.every((file) => existsSync(join(root, file)))) return root;
    }
  }
  return undefined;
}

async function checkIntegrity(tarball: string, pinned: PinnedPackage): Promise<void> {
  const hash = createHash('sha512');
  for await (const block of createReadStream(tarball, { highWaterMark: 2 ** 20 })) hash.update(block as Uint8Array);
  const actual = `sha512-${hash.digest('base64')}`;
  if (actual !== pinned.integrity) {
    throw new TilesightError(
      'input',
      `npm delivered ${pinned.name}@${pinned.version} with other bytes than the pinned ones (${actual.slice(0, 20)}… instead ` +
        `of ${pinned.integrity.slice(0, 20)}…): check the npm registry setting, then run \`npm cache verify\` and try again`,
    );
  }
}

/** How to start npm: its own script when this process runs under `npm run`, else `npm` from the path. */
function npmCommand(): { command: string; first: string[]; shell: boolean } {
  const script = process.env['npm_execpath'];
  if (script && basename(script) === 'npm-cli.js') return { command: process.execPath, first: [script], shell: false };
  const windows = process.platform === 'win32';
  return { command: windows ? 'npm.cmd' : 'npm', first: [], shell: windows };
}

async function npmPack(spec: string, folder: string): Promise<string> {
  const { command, first, shell } = npmCommand();
  const target = shell ? `"${folder}"` : folder;
  const flags = ['--pack-destination', target, '--ignore-scripts', '--loglevel=error', '--no-update-notifier'];
  // In the working folder, so that a project's own .npmrc (registry, proxy) is followed.
  const child = spawn(command, [...first, 'pack', spec, ...flags], { stdio: ['ignore', 'pipe', 'pipe'], shell });
  let output = '';
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-4000);
  };
  child.stdout.resume();
  child.stderr.on('data', keep);
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('close', resolve);
    child.once('error', (cause) => {
      reject(
        new TilesightError(
          'input',
          `${spec} is fetched through npm, and npm cannot be started (${cause.message}): install npm`,
          {
            cause,
          },
        ),
      );
    });
  });
  const tarball = (await readdir(folder)).find((file) => file.endsWith('.tgz'));
  if (status !== 0 || !tarball) {
    const lines = output
      .split('\n')
      .filter(
        (line) =>
          /npm (error|ERR!)/.test(line) && !/complete log|debug-0\.log|(error|ERR!) (syscall|errno) /.test(line),
      );
    const why = lines.slice(0, 3).map((line) => line.replace(/^npm (error|ERR!) (code )?/, '').trim());
    throw new TilesightError(
      'input',
      `npm could not fetch ${spec} (${why.join(' ') || `status ${status ?? 'unknown'}`}): check the network, proxy and registry ` +
        `that \`npm config list\` shows, or run \`npm install --no-save ${spec}\` where there is a network`,
    );
  }
  return join(folder, tarball);
}
