import { TilesightError } from '../engine/errors.js';
import type { ModelDefinition } from './definition.js';
import { padim } from './padim.js';

/** The anomaly models, the default first. */
export const modelDefinitions: readonly ModelDefinition[] = [padim];

/** The model of a name. */
export function modelDefinition(name: string): ModelDefinition {
  const found = modelDefinitions.find((definition) => definition.name === name);
  if (found) return found;
  const known = modelDefinitions.map((definition) => definition.name).join(', ');
  throw new TilesightError('usage', `unknown model ${name}: there are ${known}`);
}
