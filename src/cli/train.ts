import { join } from 'node:path';
import { Option, type Command } from 'commander';
import { TilesightError } from '../engine/errors.js';
import { checkData, loadData } from '../node/setup.js';
import { train, type TrainingOptions } from '../node/training.js';
import { command } from './command.js';
import { addDataOptions, addEnsembleOptions, addStageOptions, ownModelOptions } from './ensemble-options.js';
import { createReporter } from './reporter.js';
import { summaryLines, writeProfile } from './summary.js';
import { createHooks, print } from './terminal.js';

interface TrainCommandOptions extends Omit<TrainingOptions, 'check' | 'out'> {
  out?: string;
  check: boolean | 'only';
  json?: boolean;
}

/** `tilesight train`: fits an ensemble, then evaluates it where the data has a labelled test split. */
export function trainCommand(): Command {
  const made = command(
    'train',
    'Fit a tiled ensemble on good images, then evaluate it where there is a labelled test split.',
    [
      'tilesight train --normal photos/good --out run',
      'tilesight train --data mvtec/bottle --out run --image-size 512 --tile-size 256 --stride 128',
      'tilesight train --data mvtec/carpet --out run --model patchcore --shared --memory 2GiB',
      'tilesight train --data board --out run --config settings.yaml',
    ],
  );
  made.option('--out <run>', 'run folder to write; an interrupted run in it goes on');
  addDataOptions(made);
  addEnsembleOptions(made);
  addStageOptions(made);
  return made
    .optionsGroup('Options:')
    .addOption(
      new Option(
        '--check [only]',
        'check the data first (files, sizes, masks, duplicates); `only` stops after it',
      ).default(true, 'yes'),
    )
    .option('--no-check', 'skip the check of the data')
    .option('--profile', 'print where the time goes and write a trace to the run')
    .action(async (options: TrainCommandOptions) => {
      const hooks = createHooks();
      try {
        if (options.check === 'only') {
          await checkData(await loadData(options, hooks), hooks, true);
          hooks.stop();
          print(
            options.json ? JSON.stringify({ check: 'passed' }) : 'the data set has no faults that would stop a run',
          );
          return;
        }
        if (options.out === undefined) throw new TilesightError('usage', 'give --out, the run folder to write');
        const reporter = createReporter();
        const outcome = await train(
          { ...options, modelOptions: ownModelOptions(options), out: options.out, check: options.check },
          { ...hooks, observe: reporter.observe },
        );
        hooks.stop();
        await reporter.write(outcome);
        if (outcome.profiler) await writeProfile(outcome.profiler, join(options.out, 'profile.json'));
        print(options.json ? JSON.stringify(outcome.summary) : summaryLines(outcome.summary).join('\n'));
        outcome.ensemble.destroy();
        outcome.gpu.destroy();
      } finally {
        hooks.stop();
      }
    });
}
