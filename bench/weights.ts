import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { elementCount, type HostTensor } from '../src/engine/tensor.js';
import { mobilenetV2BackboneUnits } from '../src/models/backbones/mobilenet-v2.js';
import { resnetTensorShapes } from '../src/models/backbones/resnet.js';
import { convolutionShapes } from '../src/models/weights/mobilenet-v2-layout.js';
import {
  imagenetPreprocessing,
  readBackboneWeights,
  torchvisionVariant,
  type BackboneWeights,
} from '../src/models/weights/network-weights.js';
import { embeddedMobilenetV2 } from '../src/node/embedded-weights.js';
import { findWeights } from '../src/node/weights-cache.js';
import { randomNumbers } from './random.js';

/** Networks that the bench measures. */
export type BenchNetwork = 'resnet18' | 'mobilenet-v2';

/**
 * Weights of a network: the user's file, the cache's, those beside the checkout (`TILESIGHT_SHARED`, else `../shared`),
 * the embedded MobileNetV2; and where there are none, or `random` is asked for, random ones, which take as long.
 */
export async function benchWeights(
  network: BenchNetwork,
  options: { file?: string | undefined; random?: boolean },
): Promise<BackboneWeights> {
  if (options.random) return randomWeights(network);
  const cached = await findWeights(network).catch(() => undefined);
  const shared = join(process.env['TILESIGHT_SHARED'] ?? '../shared', 'weights', `${network}.safetensors`);
  const path = options.file ?? cached?.path ?? (existsSync(shared) ? shared : undefined);
  if (path !== undefined) return readBackboneWeights(await readFile(path), path);
  if (network === 'mobilenet-v2') return embeddedMobilenetV2().catch(() => randomWeights(network));
  return randomWeights(network);
}

/** Random weights up to stride 16, scaled so that values keep their size from layer to layer (He et al. 2015). */
export function randomWeights(network: BenchNetwork): BackboneWeights {
  const shapes =
    network === 'resnet18'
      ? resnetTensorShapes('resnet18', 3, 'folded')
      : convolutionShapes(mobilenetV2BackboneUnits(), 'folded');
  const tensors = new Map<string, HostTensor>();
  let seed = 1;
  for (const [name, shape] of shapes) {
    const fanIn = elementCount(shape.slice(1));
    const scale = shape.length === 1 ? 0.1 : Math.sqrt(6 / fanIn);
    tensors.set(name, { shape, data: randomNumbers(elementCount(shape), seed++, scale) });
  }
  return {
    network,
    tensors,
    preprocessing: imagenetPreprocessing,
    variant: torchvisionVariant,
    provenance: 'random numbers',
    licence: 'CC0-1.0',
  };
}
