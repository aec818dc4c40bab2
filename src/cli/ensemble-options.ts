import { Option, type Command } from 'commander';
import { TilesightError } from '../engine/errors.js';
import { modelDefinition, modelDefinitions } from '../models/index.js';
import type { EnsembleOptions } from '../node/setup.js';
import { defaultTraining } from '../node/training.js';
import { numberBetween, parseKernels, parseMemory, parseSize, wholeNumber } from './values.js';

/** Of the option that `expandConfig` takes out of the words before commander sees them. */
export const configHelp = 'YAML file with the same option names; the command line wins';

/** Adds what fixes an ensemble's plan. */
export function addEnsembleOptions(command: Command): Command {
  const names = modelDefinitions.map((definition) => definition.name);
  command
    .optionsGroup('Ensemble:')
    .addOption(new Option('--model <name>', 'anomaly model').choices(names).default(defaultTraining.model))
    .option(
      '--backbone <name>',
      'backbone: mobilenet-v2, resnet18, resnet50, wide-resnet50-2 (default: that of --weights, else mobilenet-v2)',
    )
    .option('--weights <file>', "the backbone's weights as safetensors (default: the cache, see `tilesight weights`)")
    .option('--image-size <n|HxW>', "size that images are resized to, in pixels (default: the images' own)", parseSize)
    .option(
      '--tile-size <n|HxW>',
      'size of a tile; the image size means a single model (default: at most 256, by --memory)',
      parseSize,
    )
    .option(
      '--stride <n|HxW>',
      'distance of tiles; less than the tile size overlaps them (default: the tile size)',
      parseSize,
    )
    .option('--batch <n>', 'tiles computed at once (default: at most 4, by --memory)', wholeNumber(1))
    .option('--seed <n>', 'seed: same seed, adapter and version, same bytes', wholeNumber(0), defaultTraining.seed)
    .option('--memory <bytes>', 'device memory that may be used, as 512MiB', parseMemory)
    .option('--config <file>', configHelp)
    .option('--shared', 'one model for all tile positions: for textures and parts without a fixed pose')
    .option('--kernel <op=variant>', 'force a kernel variant, as conv2d=winograd4 (repeatable)', parseKernels);
  command.optionsGroup('All models that train in steps:');
  for (const { name, help } of shorthands) {
    command.addOption(new Option(`--${name} <n>`, `${help}; short for the chosen model's own option`));
  }
  for (const definition of modelDefinitions) {
    command.optionsGroup(`Model ${definition.name}:`);
    for (const option of definition.options) {
      const value = option.choices ? option.choices.join('|') : typeof option.default === 'number' ? 'n' : 'value';
      command.addOption(
        new Option(
          `--${definition.name}.${option.name} <${value}>`,
          `${option.help} (default: ${String(option.default)})`,
        ),
      );
    }
  }
  return command;
}

/** Adds the stages after the models. */
export function addStageOptions(command: Command): Command {
  return command
    .optionsGroup('From tile maps to a decision:')
    .addOption(
      new Option('--window <kind>', 'weights of overlapping tiles')
        .choices(['mean', 'smooth'])
        .default(defaultTraining.window),
    )
    .option('--no-seams', 'no smoothing along the seams between tiles')
    .option(
      '--seam-sigma <pixels>',
      'standard deviation of the blur along seams',
      numberBetween(0.1, 100),
      defaultTraining.seamSigma,
    )
    .option(
      '--seam-width <share>',
      "half the width of a seam's strip, as a share of the tile",
      numberBetween(0, 1),
      defaultTraining.seamWidth,
    )
    .addOption(
      new Option('--normalization <stage>', 'where scores are brought to 0–1')
        .choices(['tile', 'image', 'none'])
        .default(defaultTraining.normalization),
    )
    .addOption(
      new Option('--threshold <stage>', 'where scores are compared with thresholds')
        .choices(['tile', 'image'])
        .default(defaultTraining.threshold),
    )
    .addOption(
      new Option('--score <rule>', "an image's score: largest value of its map, or mean of its tiles' scores")
        .choices(['maximum', 'mean'])
        .default(defaultTraining.score),
    )
    .addOption(
      new Option(
        '--validation <split>',
        'images that thresholds are fitted on (same-as-test only to compare with the paper)',
      )
        .choices(['held-out', 'from-test', 'same-as-test'])
        .default(defaultTraining.validation),
    )
    .option(
      '--validation-ratio <share>',
      'share of images held out (default: 0.1 of train, 0.5 of test)',
      numberBetween(0.001, 0.9),
    )
    .option(
      '--image-quantile <share>',
      'share of good images below the threshold, without defects to fit it on',
      numberBetween(0.5, 1),
      defaultTraining.imageQuantile,
    )
    .option(
      '--pixel-quantile <share>',
      'share of good pixels below the threshold, likewise',
      numberBetween(0.5, 1),
      defaultTraining.pixelQuantile,
    );
}

/** Adds what names the images. */
export function addDataOptions(command: Command): Command {
  return command
    .optionsGroup('Images:')
    .option('--data <dir>', 'data set: MVTec AD, MVTec AD 2, VisA, or a folder of good photographs')
    .option('--category <name>', 'which category of a data set that holds several')
    .option('--normal <dir>', 'folder of good photographs, in place of --data')
    .option('--abnormal <dir>', 'folder of photographs with defects, for evaluation')
    .option('--masks <dir>', 'folder of defect masks for --abnormal, named as the photographs')
    .option('--limit <n>', 'use the first n images of each split', wholeNumber(1));
}

/** Options that all models which train in steps have, and which may be given without the model's name. */
const shorthands = [
  { name: 'steps', help: 'optimiser steps a position' },
  { name: 'epochs', help: 'passes over the training images, in place of steps' },
  { name: 'learning-rate', help: 'learning rate of the optimiser' },
] as const;

/** The options that belong to the chosen model, without its name in front. */
export function ownModelOptions(options: EnsembleOptions): Record<string, unknown> {
  const given: Record<string, unknown> = {};
  for (const { name: model, options: own } of modelDefinitions) {
    for (const { name } of own) {
      const attribute = new Option(`--${model}.${name} <v>`).attributeName();
      const value = (options as unknown as Record<string, unknown>)[attribute];
      if (value === undefined) continue;
      if (model !== options.model) {
        throw new TilesightError(
          'usage',
          `--${model}.${name} belongs to --model ${model}, the model is ${options.model}`,
        );
      }
      given[name] = value;
    }
  }
  for (const { name } of shorthands) {
    const value = (options as unknown as Record<string, unknown>)[new Option(`--${name} <v>`).attributeName()];
    if (value === undefined) continue;
    if (!modelDefinition(options.model).options.some((option) => option.name === name)) {
      throw new TilesightError('usage', `--${name}: the model ${options.model} does not train in steps`);
    }
    given[name] ??= value;
    if (name === 'epochs') given['steps'] ??= 0;
  }
  return given;
}

/** Adds what a command needs that uses a finished run. */
export function addRunOptions(command: Command): Command {
  return command
    .optionsGroup('Run:')
    .requiredOption('--run <dir>', 'run folder, the --out of a train command')
    .option('--weights <file>', "the backbone's weights (default: where they were at training, else the cache)")
    .option('--memory <bytes>', 'device memory that may be used: what fits stays on the device', parseMemory)
    .addOption(
      new Option(
        '--resident <when>',
        'keep the parameters of all positions on the device (auto: as many as --memory holds, without it all up to 1 GiB)',
      )
        .choices(['auto', 'always', 'never'])
        .default('auto'),
    )
    .option('--image-threshold <score>', "replaces the run's image threshold (raw score), without training", Number)
    .option('--pixel-threshold <score>', "replaces the run's pixel threshold (raw score), without training", Number)
    .option('--config <file>', configHelp)
    .option('--kernel <op=variant>', 'force a kernel variant (repeatable)', parseKernels)
    .option('--profile', 'print where the time goes and write a trace');
}
