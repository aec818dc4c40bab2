import { TilesightError } from '../engine/errors.js';
import { backboneNames, createBackbone } from '../models/backbones/index.js';
import { modelDefinition } from '../models/index.js';
import { readBackboneWeights } from '../models/weights/network-weights.js';
import { sha256 } from './configuration.js';
import { TiledEnsemble, type LoadOptions } from './ensemble.js';
import { Run, type RunStorage } from './run.js';

/** How to open a run on any platform: where it is and the backbone's weights; the rest as for {@link TiledEnsemble.load}. */
export interface OpenEnsembleOptions extends Omit<LoadOptions, 'run' | 'model' | 'backbone'> {
  readonly storage: RunStorage;
  /** The safetensors file of the backbone that the run was trained with, whole. */
  readonly weights: Uint8Array;
}

/**
 * Opens a finished run from any storage, after checking that the weights are those that it was trained with. The caller
 * destroys the ensemble, then the device.
 *
 * @throws TilesightError `input` for a run or weights that are damaged or do not belong together.
 */
export async function openEnsemble({ storage, weights, ...options }: OpenEnsembleOptions): Promise<TiledEnsemble> {
  const run = await Run.open(storage);
  const { configuration } = run;
  if ((await sha256(weights)) !== configuration.weights) {
    throw new TilesightError(
      'input',
      `${storage.location} was trained with other weights of ${configuration.backbone} than these: ` +
        `give the file whose SHA-256 begins with ${configuration.weights.slice(0, 12)}`,
    );
  }
  const network = backboneNames.find((name) => name === configuration.backbone);
  if (!network) {
    throw new TilesightError(
      'input',
      `${storage.location} needs the backbone ${configuration.backbone}, this Tilesight has ${backboneNames.join(', ')}`,
    );
  }
  return TiledEnsemble.load({
    ...options,
    run,
    model: modelDefinition(configuration.model).create(configuration.modelOptions),
    backbone: createBackbone(network, readBackboneWeights(weights, network)),
  });
}
