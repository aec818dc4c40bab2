import { TilesightError } from '../engine/errors.js';
import type { ModelDefinition } from './definition.js';
import { fastflow } from './fastflow.js';
import { reverseDistillation } from './reverse-distillation.js';
import { stfpm } from './stfpm.js';
import { padim } from './padim.js';
import { patchcore } from './patchcore.js';

const definitions: ModelDefinition[] = [padim, patchcore, fastflow, reverseDistillation, stfpm];

/** The anomaly models, the default first. */
export const modelDefinitions: readonly ModelDefinition[] = definitions;

/** Adds a model of one's own, so that training and opening of runs know its name. */
export function registerModel(definition: ModelDefinition): void {
  if (definitions.some(({ name }) => name === definition.name)) {
    throw new TilesightError('usage', `there is a model ${definition.name} already: give yours another name`);
  }
  definitions.push(definition);
}

/** The model of a name. */
export function modelDefinition(name: string): ModelDefinition {
  const found = modelDefinitions.find((definition) => definition.name === name);
  if (found) return found;
  const known = modelDefinitions.map((definition) => definition.name).join(', ');
  throw new TilesightError('usage', `unknown model ${name}: there are ${known}`);
}
