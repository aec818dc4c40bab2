import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';

import { TilesightError } from '../engine/errors.js';
import { cacheFolder, cacheRoot } from './cache.js';
import { type Downloaded, type DownloadOptions, downloadFile } from './download.js';
import { fileProblem, listFiles, sha256, sha256File, writeFileAtomic } from './files.js';

/** Pretrained weights that can be downloaded. */
export interface PublishedWeights {
  /** The backbone that they belong to; also their name in the cache. */
  readonly name: string;
  /** What they are and were trained on. */
  readonly description: string;
  readonly licence: string;
  /** Path below the hub's root, which a mirror replaces. */
  readonly path: string;
  /** SHA-256 that the hub publishes; undefined where none is known, and the first download's is then recorded. */
  readonly sha256: string | undefined;
  readonly megabytes: number;
}

/** The hub that {@link publishedWeights} are fetched from unless `TILESIGHT_MIRROR` names another root. */
export const defaultHub = 'https://huggingface.co';

/** torchvision's ImageNet weights (V1) as timm publishes them in safetensors. Digests as the hub's pages state them. */
export const publishedWeights: readonly PublishedWeights[] = [
  {
    name: 'resnet18',
    description: "torchvision's ResNet-18, ImageNet-1k (V1)",
    licence: 'BSD-3-Clause',
    path: 'timm/resnet18.tv_in1k/resolve/main/model.safetensors',
    sha256: '694f673df6520a3158624e8a89af086f59923ee4cd7436fe5bc3bc71d295ad81',
    megabytes: 47,
  },
  {
    name: 'resnet50',
    description: "torchvision's ResNet-50, ImageNet-1k (V1)",
    licence: 'BSD-3-Clause',
    path: 'timm/resnet50.tv_in1k/resolve/main/model.safetensors',
    sha256: '5d061a3c593d795bfe682d9b152bafbcf550579873492def3515b46db1189888',
    megabytes: 102,
  },
  {
    name: 'wide-resnet50-2',
    description: "torchvision's Wide ResNet-50-2, ImageNet-1k (V1)",
    licence: 'BSD-3-Clause',
    path: 'timm/wide_resnet50_2.tv_in1k/resolve/main/model.safetensors',
    sha256: 'df6fb6c4824769769de18e14088475fd6ee94236849aa4e5d8022ba9d9a9a16c',
    megabytes: 276,
  },
];

/** Weights in the cache. */
export interface CachedWeights {
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Address or file that they came from. */
  readonly source: string;
  /**
   * Why the bytes are believed: `pinned` by a digest in Tilesight, `stated` by the server, `first-use` because nothing was
   * known and this digest was recorded, `imported` by the user.
   */
  readonly trust: 'pinned' | 'stated' | 'first-use' | 'imported';
}

const recordSchema = v.object({
  sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  source: v.string(),
  trust: v.picklist(['pinned', 'stated', 'first-use', 'imported']),
});

/** Options of {@link getWeights}. */
export interface GetWeightsOptions extends DownloadOptions {
  /** @internal The table to look in; default {@link publishedWeights}. */
  readonly published?: readonly PublishedWeights[];
  /** Told in one line each what the user should know. */
  readonly onNotice?: (line: string) => void;
}

function assertName(name: string): void {
  if (!/^[a-z0-9][a-z0-9._-]*$/.test(name)) {
    throw new TilesightError(
      'usage',
      `${JSON.stringify(name)} is no name for weights: use letters, digits, dots and dashes`,
    );
  }
}

/**
 * Weights of this name in the cache, with their digest checked; undefined when there are none.
 *
 * @throws TilesightError `input` when the file is not the one that was stored.
 */
export async function findWeights(name: string): Promise<CachedWeights | undefined> {
  assertName(name);
  const path = join(cacheRoot(), 'weights', `${name}.safetensors`);
  let record: v.InferOutput<typeof recordSchema>;
  let bytes: number;
  try {
    record = v.parse(recordSchema, JSON.parse(await readFile(`${path}.json`, 'utf8')));
    bytes = (await stat(path)).size;
  } catch {
    return undefined;
  }
  const actual = await sha256File(path);
  if (actual !== record.sha256) {
    throw new TilesightError(
      'input',
      `the weights ${path} were changed or damaged since they were stored: run \`tilesight weights get ${name}\` or import them again`,
    );
  }
  return { name, path, bytes, ...record };
}

/** Everything published or cached, for a listing; damaged weights appear as the error. */
export async function listWeights(
  published: readonly PublishedWeights[] = publishedWeights,
): Promise<
  { name: string; published: PublishedWeights | undefined; cached: CachedWeights | TilesightError | undefined }[]
> {
  const files = await listFiles(cacheFolder('weights'), { recursive: false, extensions: ['.safetensors.json'] });
  const names = new Set([
    ...files.map((file) => file.slice(0, -'.safetensors.json'.length)),
    ...published.map((entry) => entry.name),
  ]);
  return Promise.all(
    [...names].map(async (name) => ({
      name,
      published: published.find((entry) => entry.name === name),
      cached: await findWeights(name).catch((error: unknown) => {
        if (error instanceof TilesightError) return error;
        throw error;
      }),
    })),
  );
}

/** The address of published weights, on the mirror that `TILESIGHT_MIRROR` names if there is one. */
export function weightsUrl(entry: PublishedWeights, mirror = process.env['TILESIGHT_MIRROR']): string {
  const root = mirror || defaultHub;
  if (!URL.canParse(root) || !/^https?:$/.test(new URL(root).protocol)) {
    throw new TilesightError('usage', `TILESIGHT_MIRROR is ${JSON.stringify(root)}: give an http or https address`);
  }
  return `${root.replace(/\/+$/, '')}/${entry.path}`;
}

/**
 * Published weights as a file in the cache, downloaded when they are not there yet. The digest that Tilesight pins decides;
 * without one, the digest that the server states, and without that, the one recorded on first use, which is then printed.
 *
 * @throws TilesightError `usage` for an unknown name, `input` for everything that can go wrong on the way.
 */
export async function getWeights(name: string, options: GetWeightsOptions = {}): Promise<CachedWeights> {
  const published = options.published ?? publishedWeights;
  const entry = published.find((candidate) => candidate.name === name);
  if (!entry) {
    const known = published.map((candidate) => candidate.name).join(', ');
    throw new TilesightError(
      'usage',
      `no weights are published under the name ${JSON.stringify(name)}: known are ${known}`,
    );
  }
  // Damaged or outdated weights are fetched anew; what the user imported stays.
  const cached = await findWeights(name).catch(() => undefined);
  if (cached && (cached.trust === 'imported' || entry.sha256 === undefined || cached.sha256 === entry.sha256))
    return cached;

  const url = weightsUrl(entry);
  const path = join(cacheFolder('weights'), `${name}.safetensors`);
  options.onNotice?.(`fetching ${entry.description}, ${entry.megabytes} MB, ${entry.licence}, from ${url} …`);
  await rm(`${path}.json`, { force: true });
  const downloaded = await downloadFile(url, path, { ...options, sha256: entry.sha256 });
  const trust = downloaded.trust === 'none' ? 'first-use' : downloaded.trust;
  if (trust === 'first-use') options.onNotice?.(firstUseLine(entry, downloaded));
  await writeFileAtomic(`${path}.json`, JSON.stringify({ sha256: downloaded.sha256, source: url, trust }));
  return { name, path, bytes: downloaded.bytes, sha256: downloaded.sha256, source: url, trust };
}

function firstUseLine(entry: PublishedWeights, downloaded: Downloaded): string {
  return (
    `no digest is known for ${entry.name}: trusting this first download, and only it from now on ` +
    `(SHA-256 ${downloaded.sha256}); compare it with the publisher's`
  );
}

/**
 * Puts imported weights (a safetensors file's bytes) into the cache under a backbone's name, where they take the place of
 * others.
 *
 * @param source the file or folder that they were read from, for listings
 */
export async function storeWeights(name: string, bytes: Uint8Array, source: string): Promise<CachedWeights> {
  assertName(name);
  const path = join(cacheFolder('weights'), `${name}.safetensors`);
  const record = { sha256: sha256(bytes), source, trust: 'imported' as const };
  // Between the two writes the record is missing, so that never one belongs to the other's file.
  await rm(`${path}.json`, { force: true });
  await writeFileAtomic(path, bytes);
  await writeFileAtomic(`${path}.json`, JSON.stringify(record));
  return { name, path, bytes: bytes.length, ...record };
}

/** Removes weights from the cache; false when there were none. */
export async function removeWeights(name: string): Promise<boolean> {
  assertName(name);
  const path = join(cacheRoot(), 'weights', `${name}.safetensors`);
  const existed = await stat(path).then(
    () => true,
    () => false,
  );
  try {
    await rm(`${path}.json`, { force: true });
    await rm(path, { force: true });
  } catch (cause) {
    throw new TilesightError('input', `cannot remove ${path}: ${fileProblem(cause)}`, { cause });
  }
  return existed;
}
