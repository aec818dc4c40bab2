import { Option, type Command } from 'commander';
import { defectKinds, writeSynthetic, type DefectKind } from '../data/synthetic.js';
import { TilesightError } from '../engine/errors.js';
import { makeFolder } from '../node/datasets.js';
import { nodeImages } from '../node/images.js';
import { command } from './command.js';
import { configHelp } from './ensemble-options.js';
import { createProgress, print } from './terminal.js';
import { parseSize, wholeNumber } from './values.js';
import type { ImageSize } from '../data/image.js';

interface SynthOptions {
  out: string;
  size: ImageSize;
  train: number;
  good: number;
  perKind: number;
  defectPixels?: number[];
  kinds?: DefectKind[];
  seed: number;
  jitter: number;
  textured?: boolean;
  json?: boolean;
}

const list = (text: string): string[] => text.split(',').map((word) => word.trim());

/** `tilesight synth`: the synthetic data set alone. */
export function synthCommand(): Command {
  return command(
    'synth',
    'Write a synthetic data set (a printed board with small defects and exact masks) in MVTec AD layout.',
    [
      'tilesight synth --out board',
      'tilesight synth --out board --size 2048 --defect-pixels 8,16,32 --train 40',
      'tilesight synth --out fabric --textured',
    ],
  )
    .requiredOption('--out <dir>', 'folder to write to')
    .addOption(
      new Option('--size <n|HxW>', 'size of the images in pixels')
        .argParser(parseSize)
        .default({ height: 512, width: 512 }, '512'),
    )
    .option('--config <file>', configHelp)
    .option('--train <n>', 'good images to train on', wholeNumber(1), 60)
    .option('--good <n>', 'good test images', wholeNumber(0), 20)
    .option('--per-kind <n>', 'test images of each kind of defect', wholeNumber(0), 5)
    .option(
      '--defect-pixels <list>',
      'sides of the defects in pixels, in turn (default: a sixteenth of the image)',
      (text) => list(text).map(wholeNumber(1)),
    )
    .option('--kinds <list>', `kinds of defect (${defectKinds.join(', ')}; default all)`, parseKinds)
    .option('--seed <n>', 'seed: same options, same bytes', wholeNumber(0), 42)
    .option('--jitter <n>', 'largest shift of the part in pixels', wholeNumber(0), 1)
    .option('--textured', 'a fabric without a fixed pose in place of the board')
    .action(async (options: SynthOptions) => {
      const progress = createProgress();
      const images = await writeSynthetic(
        options.out,
        {
          size: options.size,
          counts: { train: options.train, testGood: options.good, testPerKind: options.perKind },
          ...(options.defectPixels && { defectPixels: options.defectPixels }),
          ...(options.kinds && { kinds: options.kinds }),
          seed: options.seed,
          jitter: options.jitter,
          ...(options.textured && { textured: true }),
        },
        { writer: nodeImages, makeFolder, onProgress: (done, total) => progress.update('drawing', done, total) },
      );
      progress.stop();
      print(options.json ? JSON.stringify({ out: options.out, images }) : `wrote ${images} images to ${options.out}`);
    });
}

function parseKinds(text: string): DefectKind[] {
  return list(text).map((word) => {
    const kind = defectKinds.find((known) => known === word);
    if (!kind) throw new TilesightError('usage', `--kinds ${word}: it must be among ${defectKinds.join(', ')}`);
    return kind;
  });
}
