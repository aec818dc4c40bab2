import { join } from 'node:path';
import type { Command } from 'commander';
import { writeSynthetic } from '../data/synthetic.js';
import { makeFolder } from '../node/datasets.js';
import { nodeImages } from '../node/images.js';
import { heatOverlay, outlineMask } from '../report/heat-map.js';
import { heatScale } from '../report/heat-scale.js';
import { command } from './command.js';
import { createReporter } from './reporter.js';
import { summaryLines } from './summary.js';
import { createHooks, print, remark } from './terminal.js';
import { defaultTraining, train } from '../node/training.js';

interface DemoOptions {
  out: string;
  json?: boolean;
}

/** The demo's ensemble: small enough for a software adapter, with a grid. */
const settings = {
  ...defaultTraining,
  tileSize: { height: 128, width: 128 },
  stride: { height: 128, width: 128 },
  // A quarter of so few images, so that the threshold does not hang on one of them.
  validationRatio: 0.25,
};

/** `tilesight demo`: writes a synthetic data set, trains, evaluates, predicts, writes the report. */
export function demoCommand(): Command {
  return command('demo', 'Write a synthetic data set, train on it, evaluate, predict, and write the report.', [
    'tilesight demo',
    'tilesight demo --out demo --json',
  ])
    .option('--out <dir>', 'folder for the images, the run and the predictions', 'demo')
    .action(async (options: DemoOptions) => {
      const hooks = createHooks();
      const data = join(options.out, 'board');
      const run = join(options.out, 'run');
      try {
        const images = await writeSynthetic(
          data,
          { size: { height: 256, width: 256 }, counts: { train: 60, testGood: 16, testPerKind: 4 }, seed: 42 },
          { writer: nodeImages, makeFolder, onProgress: (done, total) => hooks.onProgress?.('drawing', done, total) },
        );
        remark(`wrote ${images} images of a printed board to ${data}`);
        const reporter = createReporter();
        const outcome = await train({ ...settings, data, out: run }, { ...hooks, observe: reporter.observe });
        await reporter.write(outcome);
        const { ensemble } = outcome;
        const overlays = join(options.out, 'predictions');
        await makeFolder(overlays);
        const oneOfEachKind = new Map(outcome.splits.test.map((sample) => [sample.kind, sample]));
        const inputs = [...oneOfEachKind.values()].map((sample) => ({
          name: sample.name,
          read: () => nodeImages.readImage(sample.path, ensemble.run.configuration.imageSize),
        }));
        for await (const prediction of ensemble.predictMany(inputs, hooks.signal)) {
          const overlay = outlineMask(
            heatOverlay(prediction.image, prediction.map, heatScale(ensemble)),
            prediction.mask,
          );
          await nodeImages.writePng(join(overlays, prediction.name.replaceAll('/', '_')), overlay);
        }
        hooks.stop();
        print(
          options.json
            ? JSON.stringify(outcome.summary)
            : [
                ...summaryLines(outcome.summary),
                `heat maps: ${overlays}`,
                `report: ${join(run, 'report', 'index.html')} (open it in a browser)`,
              ].join('\n'),
        );
        ensemble.destroy();
        outcome.gpu.destroy();
      } finally {
        hooks.stop();
      }
    });
}
