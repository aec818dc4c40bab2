import { join } from 'node:path';
import type { Command } from 'commander';
import { TilesightError } from '../engine/errors.js';
import { splitDataset } from '../data/splits.js';
import { command } from './command.js';
import { addDataOptions, addRunOptions } from './ensemble-options.js';
import { createReporter } from './reporter.js';
import { summaryLines, writeProfile } from './summary.js';
import { openRun, type OpenRunOptions } from '../node/open-run.js';
import { checkData, loadData, type DataOptions } from '../node/setup.js';
import { createHooks, print } from './terminal.js';
import { evaluateTest, summarize, writeResults } from '../node/training.js';

interface EvalOptions extends OpenRunOptions, DataOptions {
  check: boolean;
  json?: boolean;
}

/** `tilesight eval`: scores a labelled test split with a finished run. */
export function evalCommand(): Command {
  const made = command('eval', 'Score a labelled test split with a finished run; writes metrics.json to the run.', [
    'tilesight eval --run run',
    'tilesight eval --run run --data mvtec/bottle --image-threshold 12.5',
  ]);
  addRunOptions(made);
  addDataOptions(made);
  return made
    .optionsGroup('Images:')
    .option('--no-check', 'skip the check of the data')
    .action(async (options: EvalOptions) => {
      const hooks = createHooks();
      const begun = performance.now();
      const { ensemble, gpu, profiler, log } = await openRun(options, hooks.onNote);
      try {
        const inputs = options.data === undefined && options.normal === undefined ? log : options;
        const { validation, seed } = ensemble.run.configuration;
        const dataset = await loadData({ ...inputs, seed }, hooks);
        if (options.check) await checkData(dataset, hooks, false);
        const splits = splitDataset(dataset, {
          validation: validation.split,
          validationRatio: validation.ratio,
          seed,
          ...(options.limit !== undefined && { limit: options.limit }),
        });
        const started = performance.now();
        const reporter = createReporter();
        const evaluation = await evaluateTest(ensemble, splits, { ...hooks, observe: reporter.observe });
        hooks.stop();
        if (!evaluation)
          throw new TilesightError(
            'input',
            `${dataset.root} has no labelled test images: use \`tilesight predict\` for unlabelled ones`,
          );
        const predict = (performance.now() - started) / 1000;
        const seconds = { decode: 0, train: 0, predict, total: (performance.now() - begun) / 1000 };
        const summary = summarize(ensemble, evaluation, undefined, gpu, options.memory, seconds, options.run);
        await writeResults(options.run, summary, evaluation, gpu, { ...log, ...inputs });
        await reporter.write({ summary, ensemble, evaluation, gpu, profiler, notes: [] });
        if (profiler) await writeProfile(profiler, join(options.run, 'profile.json'));
        print(options.json ? JSON.stringify(summary) : summaryLines(summary).join('\n'));
      } finally {
        hooks.stop();
        ensemble.destroy();
        gpu.destroy();
      }
    });
}
