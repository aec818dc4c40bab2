import type { BackboneWeights, NetworkName } from '../weights/network-weights.js';
import type { Backbone } from './backbone.js';
import { createMobilenetV2 } from './mobilenet-v2.js';
import { createResnet } from './resnet.js';

/** Networks that there are graphs for, the default first. */
export const backboneNames: readonly NetworkName[] = ['mobilenet-v2', 'resnet18', 'resnet50', 'wide-resnet50-2'];

/**
 * A backbone by name. Every one offers `layer1`, `layer2` and `layer3`, at strides 4, 8 and 16.
 *
 * @param weights undefined when only planning.
 * @param where the weights' file, for messages; default what the weights say of their origin.
 * @throws TilesightError `input` when the weights are not those of the network.
 */
export function createBackbone(name: NetworkName, weights: BackboneWeights | undefined, where?: string): Backbone {
  return name === 'mobilenet-v2' ? createMobilenetV2(weights, where) : createResnet(name, weights, where);
}
