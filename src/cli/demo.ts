import { join } from 'node:path';
import type { Command } from 'commander';
import { writeSynthetic } from '../data/synthetic.js';
import { makeFolder } from '../node/datasets.js';
import { nodeImages } from '../node/images.js';
import { heatOverlay, outlineMask } from '../report/heat-map.js';
import { heatScale } from '../report/heat-scale.js';
import { command } from './command.js';
import { cancelOnInterrupt, createProgress, print, remark } from './terminal.js';
import { runTraining, summaryLines, type TrainingOptions } from './training.js';

interface DemoOptions {
  out: string;
  json?: boolean;
}

/** The demo's ensemble: small enough for a software adapter, with overlapping neighbours and a grid. */
const settings: Omit<TrainingOptions, 'out' | 'data'> = {
  model: 'padim',
  tileSize: { height: 128, width: 128 },
  stride: { height: 128, width: 128 },
  seed: 42,
  window: 'mean',
  seams: true,
  seamSigma: 2,
  seamWidth: 0.1,
  normalization: 'image',
  threshold: 'image',
  score: 'maximum',
  validation: 'held-out',
  imageQuantile: 0.98,
  pixelQuantile: 0.9999,
  check: true,
};

/** `tilesight demo`: writes a synthetic data set, trains, evaluates, predicts, writes the report. */
export function demoCommand(): Command {
  return command('demo', 'Write a synthetic data set, train on it, evaluate, predict, and write the report.', [
    'tilesight demo',
    'tilesight demo --out demo --json',
  ])
    .option('--out <dir>', 'folder for the images, the run and the predictions', 'demo')
    .action(async (options: DemoOptions) => {
      const progress = createProgress();
      const signal = cancelOnInterrupt();
      const data = join(options.out, 'board');
      const run = join(options.out, 'run');
      try {
        const images = await writeSynthetic(
          data,
          { size: { height: 256, width: 256 }, counts: { train: 48, testGood: 16, testPerKind: 4 }, seed: 42 },
          { writer: nodeImages, makeFolder, onProgress: (done, total) => progress.update('drawing', done, total) },
        );
        remark(`wrote ${images} images of a printed board to ${data}`);
        const outcome = await runTraining({ ...settings, data, out: run }, progress, signal);
        const { ensemble } = outcome.result;
        const overlays = join(options.out, 'predictions');
        await makeFolder(overlays);
        const defective = outcome.splits.test.filter((sample) => sample.label === 1).slice(0, 4);
        const inputs = defective.map((sample) => ({
          name: sample.name,
          read: () => nodeImages.readImage(sample.path, ensemble.run.configuration.imageSize),
        }));
        for await (const prediction of ensemble.predictMany(inputs, signal)) {
          const overlay = outlineMask(
            heatOverlay(prediction.image, prediction.map, heatScale(ensemble)),
            prediction.mask,
          );
          await nodeImages.writePng(join(overlays, prediction.name.replaceAll('/', '_')), overlay);
        }
        progress.stop();
        print(
          options.json
            ? JSON.stringify(outcome.summary)
            : [
                ...summaryLines(outcome.summary),
                `heat maps: ${overlays}`,
                `report: ${join(run, 'report', 'index.html')}`,
              ].join('\n'),
        );
        ensemble.destroy();
        outcome.gpu.destroy();
      } finally {
        progress.stop();
      }
    });
}
