import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { TilesightError } from '../engine/errors.js';
import { encodeBackboneWeights, readBackboneWeights, type BackboneWeights } from '../models/weights/network-weights.js';
import { convertNsfwjsMobilenet, nsfwjsMobilenetFiles, nsfwjsPackage } from '../models/weights/nsfwjs-mobilenet.js';
import { cacheFolder } from './cache.js';
import { sha256, writeFileAtomic } from './files.js';
import { fetchPackageFiles, type FetchPackageOptions } from './npm-package.js';

/** SHA-256 of the converted file: the conversion gives the same bytes everywhere. */
export const embeddedMobilenetV2Sha256 = 'aefa4baf623efbd2bf15ac1c925cbf451cbad7e823935fe3e6f655db5e965d9c';

/** Options of {@link embeddedMobilenetV2}. */
export type EmbeddedWeightsOptions = Pick<FetchPackageOptions, 'onNotice' | 'pack'>;

/** Where the converted weights are kept. */
export function embeddedMobilenetV2Path(): string {
  return join(cacheFolder('weights'), `mobilenet-v2-embedded-${embeddedMobilenetV2Sha256.slice(0, 12)}.safetensors`);
}

/**
 * The weights of the embedded default backbone, `mobilenet-v2`: out of the npm package nsfwjs, fetched and converted into the cache on
 * first need, read from there afterwards. An ImageNet network that its publisher fine-tuned for another image task and quantised to 8 bits.
 *
 * @throws TilesightError `input` when npm or the network fails, or the bytes are not the expected ones.
 */
export async function embeddedMobilenetV2(options: EmbeddedWeightsOptions = {}): Promise<BackboneWeights> {
  const path = embeddedMobilenetV2Path();
  const cached = await readFile(path).catch(() => undefined);
  if (cached && sha256(cached) === embeddedMobilenetV2Sha256) return readBackboneWeights(cached, path);

  const purpose = 'the weights of the default backbone (25 MB)';
  const paths = await fetchPackageFiles(nsfwjsPackage, [nsfwjsMobilenetFiles.model, nsfwjsMobilenetFiles.weights], {
    ...options,
    purpose,
  });
  const [model = '', weights = ''] = await Promise.all(paths.map((file) => readFile(file, 'utf8')));
  const where = `${nsfwjsPackage.name}@${nsfwjsPackage.version}`;
  const bytes = encodeBackboneWeights(convertNsfwjsMobilenet(model, weights, where));
  if (sha256(bytes) !== embeddedMobilenetV2Sha256) {
    throw new TilesightError(
      'input',
      `${where} in node_modules holds other weights than the published ones: install it again, or remove it to let Tilesight fetch it`,
    );
  }
  await writeFileAtomic(path, bytes);
  return readBackboneWeights(bytes, path);
}
