import type { ModelOption, ModelOptions } from '../definition.js';

/** How a model is trained. */
export interface TrainingOptions {
  /** Optimiser steps; 0 takes `epochs`. */
  readonly steps: number;
  /** Passes over the training images, where `steps` is 0. */
  readonly epochs: number;
  readonly learningRate: number;
  /** Whether the learning rate stays, or falls to 0 along half a cosine. */
  readonly schedule: 'constant' | 'cosine';
  /** Steps between two checkpoints: what a kill loses at most. 0 for none. */
  readonly checkpointSteps: number;
  /** What ends training early: nothing, a training loss or a loss on held-out good images that no longer falls. */
  readonly stop: 'never' | 'plateau' | 'held-out';
  /** Steps between two looks at the loss, for `stop`. */
  readonly stopSteps: number;
  /** Looks without an improvement before training ends. */
  readonly patience: number;
}

/** The options that every trained model has, with its own defaults for some. */
export function trainingOptions(
  defaults: Partial<TrainingOptions> & Pick<TrainingOptions, 'steps' | 'learningRate'>,
): readonly ModelOption[] {
  return [
    {
      name: 'steps',
      help: 'optimiser steps a position; 0 to count epochs instead',
      default: defaults.steps,
      minimum: 0,
      integer: true,
    },
    {
      name: 'epochs',
      help: 'passes over the training images, where steps is 0',
      default: defaults.epochs ?? 100,
      minimum: 1,
      integer: true,
    },
    { name: 'learning-rate', help: 'learning rate of the optimiser', default: defaults.learningRate, minimum: 0 },
    {
      name: 'schedule',
      help: 'whether the learning rate stays or falls to 0 along half a cosine',
      default: defaults.schedule ?? 'constant',
      choices: ['constant', 'cosine'],
    },
    {
      name: 'checkpoint-steps',
      help: 'steps between two checkpoints, which is what a kill loses at most; 0 for none',
      default: defaults.checkpointSteps ?? 50,
      minimum: 0,
      integer: true,
    },
    {
      name: 'stop',
      help: 'what ends training early: a training loss, or one on held-out good images, that no longer falls',
      default: defaults.stop ?? 'never',
      choices: ['never', 'plateau', 'held-out'],
    },
    {
      name: 'stop-steps',
      help: 'steps between two looks at the loss, for stop',
      default: defaults.stopSteps ?? 25,
      minimum: 1,
      integer: true,
    },
    {
      name: 'patience',
      help: 'looks without an improvement before training ends, for stop',
      default: defaults.patience ?? 3,
      minimum: 1,
      integer: true,
    },
  ];
}

/** Reads {@link trainingOptions} back out of a model's complete options. */
export function readTrainingOptions(options: ModelOptions): TrainingOptions {
  const { schedule, stop } = options;
  return {
    steps: Number(options['steps']),
    epochs: Number(options['epochs']),
    learningRate: Number(options['learning-rate']),
    schedule: schedule === 'cosine' ? 'cosine' : 'constant',
    checkpointSteps: Number(options['checkpoint-steps']),
    stop: stop === 'plateau' || stop === 'held-out' ? stop : 'never',
    stopSteps: Number(options['stop-steps']),
    patience: Number(options['patience']),
  };
}

/** Steps of a training run over `images` images in batches of `batch`. */
export function totalSteps(options: TrainingOptions, images: number, batch: number): number {
  return options.steps > 0 ? options.steps : Math.max(1, Math.ceil((options.epochs * images) / batch));
}

/** Learning rate of a step, counted from 0. */
export function learningRateAt(options: TrainingOptions, step: number, total: number): number {
  if (options.schedule === 'constant') return options.learningRate;
  return options.learningRate * 0.5 * (1 + Math.cos((Math.PI * step) / total));
}

/**
 * Whether training should end after the losses so far: the last `patience` looks brought no loss below the best before
 * them. A look at the training loss is its mean over the steps since the look before, which smooths out the batches.
 */
export function stopsEarly(looks: readonly number[], patience: number): boolean {
  if (looks.length <= patience) return false;
  const best = Math.min(...looks.slice(0, -patience));
  return looks.slice(-patience).every((loss) => !(loss < best));
}
