import { readFile } from 'node:fs/promises';
import { TilesightError } from '../engine/errors.js';
import type { Backbone } from '../models/backbones/backbone.js';
import { backboneNames, createBackbone } from '../models/backbones/index.js';
import { readBackboneWeights, type BackboneWeights, type NetworkName } from '../models/weights/network-weights.js';
import { embeddedMobilenetV2, embeddedMobilenetV2Path, embeddedMobilenetV2Sha256 } from './embedded-weights.js';
import { fileProblem, sha256 } from './files.js';
import { findWeights } from './weights-cache.js';

/** The backbone that needs no weights of the user's. */
export const defaultBackbone: NetworkName = 'mobilenet-v2';

/** A backbone with its weights and their digest. */
export interface LoadedBackbone {
  /** @internal The graph with its weights. */
  readonly backbone: Backbone;
  readonly sha256: string;
  /** The safetensors file on the disk: what a browser must be served to open runs of this backbone. */
  readonly file: string;
}

/** The name as one that there is a graph for. */
export function checkBackboneName(name: string): NetworkName {
  const known = backboneNames.find((candidate) => candidate === name);
  if (!known) throw new TilesightError('usage', `unknown backbone ${name}: there are ${backboneNames.join(', ')}`);
  return known;
}

/**
 * Loads a backbone: its weights out of `file`, else out of the cache, else (for the default) the embedded ones. Without a
 * name the weights' own network is taken. `onNotice` is told of a download.
 */
export async function loadBackbone(
  name: string | undefined,
  file: string | undefined,
  onNotice?: (line: string) => void,
): Promise<LoadedBackbone> {
  const wanted = name === undefined ? undefined : checkBackboneName(name);
  if (file === undefined) {
    const network = wanted ?? defaultBackbone;
    const cached = await findWeights(network);
    if (cached) return load(network, cached.path);
    if (network === defaultBackbone) {
      const backbone = createBackbone(network, await embeddedMobilenetV2({ ...(onNotice && { onNotice }) }));
      return { backbone, sha256: embeddedMobilenetV2Sha256, file: embeddedMobilenetV2Path() };
    }
    throw new TilesightError(
      'input',
      `no weights for ${network}: fetch them with \`tilesight weights get ${network}\`, or give a file with --weights`,
    );
  }
  return load(wanted, file);
}

async function load(wanted: NetworkName | undefined, file: string): Promise<LoadedBackbone> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    throw new TilesightError('input', `the weights ${file} cannot be read: ${fileProblem(cause)}; check the path`, {
      cause,
    });
  }
  const weights: BackboneWeights = readBackboneWeights(bytes, file);
  const network = wanted ?? weights.network;
  if (!network) {
    throw new TilesightError(
      'input',
      `${file}: no known network's weights: name it with --backbone (${backboneNames.join(', ')})`,
    );
  }
  return { backbone: createBackbone(network, weights, file), sha256: sha256(bytes), file };
}
