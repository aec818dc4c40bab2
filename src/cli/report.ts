import { mkdir } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, normalize, resolve } from 'node:path';
import * as v from 'valibot';
import type { Gpu } from '../engine/gpu.js';
import type { Profiler } from '../engine/profiler.js';
import type { TiledEnsemble } from '../ensemble/ensemble.js';
import type { Evaluation } from '../ensemble/evaluate.js';
import { fittedParts, lossPart } from '../ensemble/fit.js';
import { encodeImage } from '../node/encode-image.js';
import type { Splits } from '../data/splits.js';
import { writeFileAtomic } from '../node/files.js';
import { nodeImages } from '../node/images.js';
import { GalleryCollector } from '../report/gallery.js';
import { heatScale } from '../report/heat-scale.js';
import type { RunSummary } from '../node/training.js';
import { version } from './version.js';

/** What the report of a run is made of. */
export interface ReportSource {
  /** Run folder. */
  readonly run: string;
  readonly summary: RunSummary;
  readonly ensemble: TiledEnsemble;
  readonly evaluation: Evaluation | undefined;
  /** Has seen the predictions of the evaluation. */
  readonly gallery: GalleryCollector;
  readonly gpu: Gpu;
  readonly profiler?: Profiler | undefined;
  /** What to show where the gallery has seen nothing. */
  readonly splits?: Pick<Splits, 'test' | 'validation'> | undefined;
  /** What the user was told, a line each. */
  readonly notes?: readonly string[] | undefined;
}

/** A collector for the report's gallery; give its `collect` to the evaluation as `onPrediction`. */
export function createGallery(ensemble: TiledEnsemble): GalleryCollector {
  return new GalleryCollector(ensemble.run.configuration.score);
}

/**
 * Writes `report/index.html` into a run folder, whole or not at all.
 *
 * @returns its path
 */
export async function writeReport(source: ReportSource): Promise<string> {
  const { run, summary, ensemble, gpu } = source;
  const statistics = ensemble.fittedStatistics;
  if (!statistics) throw new Error('the statistics are not fitted yet');
  // Loaded here and not with the command: the plotting library takes longer to load than all the rest.
  const { renderReport } = await import('../report/report.js');
  const notes = [...(source.notes ?? [])];
  const predicted = await predictWithoutLabels(source);
  const page = await renderReport({
    title: runTitle(run),
    date: new Date(),
    version: version(),
    configuration: ensemble.run.configuration,
    grid: ensemble.grid,
    statistics,
    thresholds: ensemble.thresholds,
    evaluation: source.evaluation,
    predicted,
    gallery: source.gallery.finish(),
    heatScale: heatScale(ensemble),
    encodeImage,
    adapter: summary.adapter,
    driver: gpu.driver,
    memory: { ...summary.memory, samples: gpu.memory.samples, peakByOwner: gpu.memory.peakByOwner },
    seconds: summary.seconds,
    spans: (await source.profiler?.finish()) ?? [],
    losses: await readLosses(ensemble, notes),
    notes,
  });
  const folder = join(run, 'report');
  await mkdir(folder, { recursive: true });
  const path = join(folder, 'index.html');
  await writeFileAtomic(path, page);
  return path;
}

/** A run's folder as it was typed, or with its parent where that says nothing or too much. */
function runTitle(run: string): string {
  if (!isAbsolute(run) && !run.startsWith('.')) return normalize(run);
  const path = resolve(run);
  return join(basename(dirname(path)), basename(path));
}

/** Images predicted for a report where nothing was evaluated. */
const mostWithoutLabels = 40;

/**
 * Fills the gallery of a run that nothing was evaluated of: with unlabelled test images, or else with good ones that were
 * held out of training.
 */
async function predictWithoutLabels({
  evaluation,
  gallery,
  ensemble,
  splits,
}: ReportSource): Promise<'test' | 'held-out'> {
  if (evaluation || !splits) return 'test';
  const predicted = splits.test.length > 0 ? 'test' : 'held-out';
  const samples = (predicted === 'test' ? splits.test : splits.validation).slice(0, mostWithoutLabels);
  const { imageSize } = ensemble.run.configuration;
  const inputs = samples.map(({ name, path }) => ({ name, read: () => nodeImages.readImage(path, imageSize) }));
  for await (const prediction of ensemble.predictMany(inputs)) {
    const sample = samples[prediction.index];
    if (sample) gallery.collect(prediction, sample);
  }
  return predicted;
}

/** Loss curves of the trained positions, by `row, column`, from the parts of the run. */
async function readLosses(ensemble: TiledEnsemble, notes: string[]): Promise<Map<string, readonly number[]>> {
  const { run, grid } = ensemble;
  const losses = new Map<string, readonly number[]>();
  for (const { part, position } of fittedParts(grid, run.configuration.shared)) {
    const name = lossPart(part);
    if (!run.has(name)) continue;
    const parsed = v.safeParse(v.array(v.number()), await run.readJson(name).catch(() => undefined));
    if (!parsed.success) {
      notes.push(`${run.storage.location}/${name} is damaged: its loss curve is left out`);
      continue;
    }
    const title =
      position === undefined
        ? 'all positions'
        : `row ${Math.floor(position / grid.columns) + 1}, column ${(position % grid.columns) + 1}`;
    losses.set(title, parsed.output);
  }
  return losses;
}
