import { mkdir, readdir, stat } from 'node:fs/promises';
import { basename, extname, join, relative, resolve, sep } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Option, type Command } from 'commander';
import type { ImageSize } from '../data/image.js';
import { TilesightError } from '../engine/errors.js';
import { defectBoxes, type DefectBox } from '../ensemble/boxes.js';
import type { Prediction, TiledEnsemble } from '../ensemble/ensemble.js';
import type { PredictionInput } from '../ensemble/predict.js';
import { fileProblem, listFiles } from '../node/files.js';
import { imageExtensions, nodeImages } from '../node/images.js';
import { heatOverlay, outlineMask } from '../report/heat-map.js';
import { command } from './command.js';
import { openRun, type OpenRunOptions } from '../node/open-run.js';
import { addRunOptions } from './ensemble-options.js';
import { writeProfile } from './summary.js';
import { createHooks, print, remark } from './terminal.js';
import { heatScale } from '../report/heat-scale.js';

interface PredictOptions extends OpenRunOptions {
  out?: string;
  watch?: string;
  format?: 'text' | 'csv' | 'jsonl';
  json?: boolean;
}

/** What is printed of one image. */
interface PredictedImage {
  readonly path: string;
  readonly score: number;
  readonly threshold: number;
  readonly label: 'good' | 'anomalous';
  /** Both scores before normalisation. */
  readonly rawScores: { readonly maximum: number; readonly mean: number };
  /** Defects in pixels of the original image. */
  readonly boxes: readonly DefectBox[];
  /** Overlay that was written. */
  readonly overlay?: string;
}

/** `tilesight predict`: scores images; no labels needed. */
export function predictCommand(): Command {
  const made = command('predict', 'Score images with a finished run: one line an image, `path score label`.', [
    'tilesight predict --run run part.png',
    'tilesight predict --run run photos/ --out heat-maps',
    'tilesight predict --run run --watch /camera/out --format jsonl',
    'tilesight predict --run run photos/ --image-threshold 14.2 --json',
  ]).argument('[images...]', 'images, or folders of images');
  return addRunOptions(made)
    .optionsGroup('Output:')
    .option('--out <dir>', 'write a heat map over each image, on one scale for the whole run')
    .option('--watch <dir>', 'predict each new image in a folder, until Ctrl-C')
    .addOption(new Option('--format <kind>', 'lines on stdout').choices(['text', 'csv', 'jsonl']).default('text'))
    .action(async (images: string[], options: PredictOptions) => {
      if (images.length === 0 && options.watch === undefined) {
        throw new TilesightError('usage', 'no images: name images or folders, or a folder with --watch');
      }
      if (options.watch !== undefined && options.json) {
        throw new TilesightError('usage', '--watch never ends, so --json has no end either: use --format jsonl');
      }
      const hooks = createHooks();
      const { signal } = hooks;
      const paths = await expand(images);
      const { ensemble, gpu, profiler } = await openRun(options, hooks.onNote);
      try {
        if (options.out !== undefined) await mkdir(options.out, { recursive: true });
        const printer = createPrinter(options);
        const names = outputNames(paths.map(({ path }) => path));
        const inputs = options.watch === undefined ? paths : watched(options.watch, paths, signal);
        const read = reading(ensemble, inputs);
        for await (const prediction of ensemble.predictMany(read.inputs, signal)) {
          const { path, original } = read.taken(prediction.index);
          const overlay = options.out && join(options.out, names.get(path) ?? `${basename(path, extname(path))}.png`);
          if (overlay) await writeOverlay(overlay, path, prediction, ensemble);
          printer.add(describe(path, original, prediction, overlay));
          if (paths.length > 1 && options.watch === undefined)
            hooks.onProgress?.('predicting', prediction.index + 1, paths.length);
        }
        hooks.stop();
        printer.end();
        if (profiler) await writeProfile(profiler, join(options.out ?? options.run, 'predict-profile.json'));
        if (options.memory === undefined || profiler) {
          remark(`device memory: peak ${gpu.memory.peakBytes} bytes, planned ${ensemble.plannedBytes}`);
        }
      } finally {
        hooks.stop();
        ensemble.destroy();
        gpu.destroy();
      }
    });
}

interface ImagePath {
  readonly path: string;
}

/** Images as named, and those in named folders. */
async function expand(names: readonly string[]): Promise<ImagePath[]> {
  const found: ImagePath[] = [];
  for (const name of names) {
    const info = await stat(name).catch((cause: unknown) => {
      throw new TilesightError('input', `${name} cannot be read: ${fileProblem(cause)}; check the path`, { cause });
    });
    if (!info.isDirectory()) {
      found.push({ path: name });
      continue;
    }
    const files = await listFiles(name, { extensions: imageExtensions });
    if (files.length === 0)
      throw new TilesightError('input', `${name} holds no images (${imageExtensions.join(', ')}): name another folder`);
    found.push(...files.map((file) => ({ path: join(name, file) })));
  }
  return found;
}

/** New images of a folder, as they are complete: a file counts once its size has not changed between two looks. */
async function* watched(folder: string, first: readonly ImagePath[], signal: AbortSignal): AsyncGenerator<ImagePath> {
  yield* first;
  const sizes = new Map<string, number>();
  const done = new Set<string>();
  for (;;) {
    const entries = await readdir(folder).catch((cause: unknown) => {
      throw new TilesightError('input', `${folder} cannot be watched: ${fileProblem(cause)}; check the path`, {
        cause,
      });
    });
    for (const name of entries.filter((entry) => imageExtensions.includes(extname(entry).toLowerCase())).sort()) {
      if (done.has(name)) continue;
      const size = (await stat(join(folder, name)).catch(() => undefined))?.size;
      if (size !== undefined && size > 0 && sizes.get(name) === size) {
        done.add(name);
        sizes.delete(name);
        yield { path: join(folder, name) };
      } else if (size !== undefined) sizes.set(name, size);
    }
    await delay(250, undefined, { signal }).catch(() => undefined);
    signal.throwIfAborted();
  }
}

/** Turns paths into inputs of the ensemble and remembers each image's own size until its result has come. */
function reading(
  ensemble: TiledEnsemble,
  paths: Iterable<ImagePath> | AsyncIterable<ImagePath>,
): {
  inputs: AsyncGenerator<PredictionInput>;
  taken: (index: number) => { path: string; original: ImageSize };
} {
  const pending = new Map<number, { path: string; original: ImageSize }>();
  const { imageSize } = ensemble.run.configuration;
  async function* inputs(): AsyncGenerator<PredictionInput> {
    let index = 0;
    for await (const { path } of paths) {
      const own = index++;
      yield {
        name: path,
        read: async () => {
          pending.set(own, { path, original: await nodeImages.readSize(path) });
          return nodeImages.readImage(path, imageSize);
        },
      };
    }
  }
  return {
    inputs: inputs(),
    taken: (index) => {
      const entry = pending.get(index);
      pending.delete(index);
      if (!entry) throw new Error(`no image ${index} is waiting for its result`);
      return entry;
    },
  };
}

/** File names of the overlays: the paths below the folder that all images share, so that equal names do not collide. */
function outputNames(paths: readonly string[]): Map<string, string> {
  const folders = paths.map((path) => resolve(path).split(sep).slice(0, -1));
  let shared = folders[0]?.length ?? 0;
  for (const folder of folders) {
    while (shared > 0 && folder.slice(0, shared).join(sep) !== folders[0]?.slice(0, shared).join(sep)) shared -= 1;
  }
  const root = folders[0]?.slice(0, shared).join(sep) ?? '';
  return new Map(
    paths.map((path) => {
      const inside = relative(root, resolve(path));
      return [
        path,
        `${inside
          .slice(0, inside.length - extname(inside).length)
          .split(sep)
          .join('_')}.png`,
      ];
    }),
  );
}

/** Writes the heat map over the original image, with the outline of what is called defective. */
async function writeOverlay(
  file: string,
  path: string,
  prediction: Prediction,
  ensemble: TiledEnsemble,
): Promise<void> {
  const original = await nodeImages.readImage(path);
  const overlay = heatOverlay(original, prediction.map, heatScale(ensemble));
  const { height, width } = prediction.mask;
  const same = height === original.height && width === original.width;
  await nodeImages.writePng(file, same ? outlineMask(overlay, prediction.mask) : overlay);
}

function describe(
  path: string,
  original: ImageSize,
  prediction: Prediction,
  overlay: string | undefined,
): PredictedImage {
  const { score, threshold, anomalous, rawScores, mask, pixelThreshold } = prediction;
  const same = original.height === mask.height && original.width === mask.width;
  return {
    path,
    score,
    threshold,
    label: anomalous ? 'anomalous' : 'good',
    rawScores,
    boxes: same ? prediction.boxes : defectBoxes(prediction.map, { threshold: pixelThreshold, original }),
    ...(overlay !== undefined && { overlay }),
  };
}

/** Prints images as they come, or all at the end as one JSON array. */
function createPrinter(options: PredictOptions): { add: (image: PredictedImage) => void; end: () => void } {
  if (options.json) {
    const all: PredictedImage[] = [];
    return { add: (image) => all.push(image), end: () => print(JSON.stringify(all)) };
  }
  const end = (): void => undefined;
  switch (options.format) {
    case 'csv':
      print('path,score,threshold,label,defects');
      return {
        add: ({ path, score, threshold, label, boxes }) => {
          const quoted = /[",\n]/.test(path) ? `"${path.replaceAll('"', '""')}"` : path;
          print([quoted, score, threshold, label, boxes.length].join(','));
        },
        end,
      };
    case 'jsonl':
      return { add: (image) => print(JSON.stringify(image)), end };
    default:
      return { add: ({ path, score, label }) => print(`${path} ${score.toFixed(4)} ${label}`), end };
  }
}
