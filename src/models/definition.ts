import { TilesightError } from '../engine/errors.js';
import type { AnomalyModel } from './anomaly-model.js';

/** Values of a model's own options. */
export type ModelOptions = Readonly<Record<string, number | string | boolean>>;

/** One option of a model: given as `--<model>.<name>` on the command line. */
export interface ModelOption {
  readonly name: string;
  /** What it does, with its unit, in one line. */
  readonly help: string;
  readonly default: number | string | boolean;
  /** Bounds of a number. */
  readonly minimum?: number;
  readonly maximum?: number;
  readonly integer?: boolean;
  /** Allowed words. */
  readonly choices?: readonly string[];
}

/** A model by name, with its options. */
export interface ModelDefinition {
  readonly name: string;
  /** What it is, in one line. */
  readonly summary: string;
  readonly options: readonly ModelOption[];
  /** Makes the model from complete options. */
  create(options: ModelOptions): AnomalyModel;
}

/** Completes given options with the defaults and checks them. */
export function completeOptions(definition: ModelDefinition, given: Readonly<Record<string, unknown>>): ModelOptions {
  const names = definition.options.map((option) => option.name);
  const unknown = Object.keys(given).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    const known =
      names.length > 0 ? `it has ${names.map((name) => `${definition.name}.${name}`).join(', ')}` : 'it has none';
    throw new TilesightError('usage', `the model ${definition.name} has no option ${unknown}: ${known}`);
  }
  return Object.fromEntries(
    definition.options.map((option) => [option.name, checkOption(definition.name, option, given[option.name])]),
  );
}

function checkOption(model: string, option: ModelOption, value: unknown): number | string | boolean {
  if (value === undefined) return option.default;
  const word = typeof value === 'string' ? value : JSON.stringify(value);
  const refuse = (wanted: string): never => {
    throw new TilesightError('usage', `--${model}.${option.name} ${word}: it must be ${wanted}`);
  };
  switch (typeof option.default) {
    case 'number': {
      const number = typeof value === 'number' ? value : Number(value === '' ? NaN : value);
      const { minimum = -Infinity, maximum = Infinity, integer = false } = option;
      if (Number.isFinite(number) && number >= minimum && number <= maximum && (!integer || Number.isInteger(number))) {
        return number;
      }
      const range = [
        minimum > -Infinity ? `at least ${minimum}` : '',
        maximum < Infinity ? `at most ${maximum}` : '',
      ].filter(Boolean);
      return refuse([integer ? 'a whole number' : 'a number', ...range].join(', '));
    }
    case 'boolean':
      if (value === true || value === 'true') return true;
      if (value === false || value === 'false') return false;
      return refuse('true or false');
    default:
      return !option.choices || option.choices.includes(word) ? word : refuse(`one of ${option.choices.join(', ')}`);
  }
}
