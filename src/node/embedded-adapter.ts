import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';

import { TilesightError } from '../engine/errors.js';
import { cacheFolder } from './cache.js';
import { sha256, sha256File } from './files.js';
import { fetchPackageFiles, type PinnedPackage } from './npm-package.js';
import { readTar } from './tar.js';

/** The npm package that carries SwiftShader, a Vulkan driver that computes on the CPU (Apache-2.0). */
const carrier: PinnedPackage = {
  name: '@sparticuz/chromium',
  version: '153.0.0',
  integrity: 'sha512-jiGWqSvPMdu4+P9TilYqAR7yEGPEHINx+lCvE/NqNO/EHYzF/x1hUiI5T6ioVIt7dEy7n88byyT0vk+dnsgQwA==',
};
const archive = 'bin/swiftshader.tar.br';
const loader = 'libvulkan.so.1';
const manifest = 'vk_swiftshader_icd.json';

/** What is taken out of the archive, with its SHA-256: native code is loaded only when it is exactly this. */
const contents: ReadonlyMap<string, string> = new Map([
  [loader, '8ee5ac00fd7968e863b05e0f6808057db16a00ad322777e5a05bed51d4f84085'],
  ['libvk_swiftshader.so', '2f3ceffaaca7d031bc3943f8eacf398a5d9c42c5fe0d15d8840b9acfa630b58e'],
  [manifest, 'c9eef28b6b984fec220ef0abfecc40b502d46946706e47bfe97707027cb818bd'],
]);

/** Why there is no embedded adapter for this platform; undefined where there is one. */
export function embeddedAdapterObstacle(): string | undefined {
  if (process.platform !== 'linux') return `there is none for ${process.platform}`;
  if (process.arch !== 'x64') return `there is none for ${process.arch} processors`;
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return report.header?.glibcVersionRuntime ? undefined : 'it needs glibc, and this system has another C library';
}

async function isComplete(folder: string): Promise<boolean> {
  for (const [name, digest] of contents) {
    const path = join(folder, name);
    if (!existsSync(path) || (await sha256File(path)) !== digest) return false;
  }
  return true;
}

/**
 * The folder with the embedded adapter's files, fetched and unpacked into the cache on first need. Several processes
 * may do this at once: each unpacks beside the final folder, and the first to rename wins.
 */
async function unpack(onNotice: (line: string) => void): Promise<string> {
  const root = cacheFolder('embedded-adapter');
  const folder = join(root, `swiftshader-${carrier.version}`);
  if (await isComplete(folder)) return folder;
  const purpose = 'the embedded software adapter (70 MB)';
  const [packed] = await fetchPackageFiles(carrier, [archive], { onNotice, purpose });
  if (packed === undefined) throw new Error('the embedded adapter has no path');
  const draft = await mkdtemp(join(root, 'unpack-'));
  try {
    const bytes = brotliDecompressSync(await readFile(packed), { maxOutputLength: 2 ** 28 });
    for await (const entry of readTar([bytes], (name) => contents.has(name), `${carrier.name}/${archive}`)) {
      if (sha256(entry.data) !== contents.get(entry.name)) {
        throw new TilesightError(
          'device',
          `${entry.name} of the embedded adapter has other bytes than the pinned ones: delete ${packed} and try again`,
        );
      }
      await writeFile(join(draft, entry.name), entry.data, { mode: 0o755, flush: true });
    }
    await rename(draft, folder).catch(async () => {
      // Another process was first, or a damaged folder is in the way.
      if (await isComplete(folder)) return;
      await rm(folder, { recursive: true, force: true });
      await rename(draft, folder);
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  if (!(await isComplete(folder))) {
    throw new TilesightError(
      'device',
      `the embedded adapter in ${folder} is incomplete: delete that folder and try again`,
    );
  }
  return folder;
}

/**
 * Puts the embedded adapter where Dawn looks for Vulkan: the loader's library goes into the process under its usual name,
 * and the environment points it at SwiftShader alone. To be called before the `create()` that is to see it; an earlier
 * `create()` that found no adapter does no harm. Takes effect for the whole process.
 *
 * @throws TilesightError `device` when there is none for this platform, `input` when it cannot be fetched.
 */
export async function loadEmbeddedAdapter(onNotice: (line: string) => void = () => undefined): Promise<void> {
  const obstacle = embeddedAdapterObstacle();
  if (obstacle) {
    throw new TilesightError(
      'device',
      `no embedded adapter: ${obstacle}; install a GPU or Vulkan driver of the system's`,
    );
  }
  const folder = await unpack(onNotice);
  const icd = join(folder, manifest);
  process.env['VK_ICD_FILENAMES'] = icd;
  process.env['VK_DRIVER_FILES'] = icd;
  const path = join(folder, loader);
  try {
    // RTLD_NODELETE keeps the library although it is no Node addon; Dawn's own dlopen then finds it by its name.
    const { RTLD_NOW, RTLD_GLOBAL } = constants.dlopen;
    process.dlopen({ exports: {} }, path, RTLD_NOW | RTLD_GLOBAL | 0x1000);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    if (!/did not self-register/i.test(message)) {
      throw new TilesightError(
        'device',
        `the embedded adapter cannot be loaded (${message.replace(/\s+/g, ' ')}): install the system's Vulkan driver instead`,
        { cause },
      );
    }
  }
}
