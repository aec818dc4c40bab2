import { mkdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import * as v from 'valibot';
import type { Gpu } from '../engine/gpu.js';
import type { Profiler } from '../engine/profiler.js';
import type { TiledEnsemble } from '../ensemble/ensemble.js';
import type { Evaluation } from '../ensemble/evaluate.js';
import { fittedParts, lossPart } from '../ensemble/fit.js';
import { encodeImage } from '../node/encode-image.js';
import { writeFileAtomic } from '../node/files.js';
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
  const page = await renderReport({
    title: basename(resolve(run)),
    date: new Date(),
    version: version(),
    configuration: ensemble.run.configuration,
    grid: ensemble.grid,
    statistics,
    thresholds: ensemble.thresholds,
    evaluation: source.evaluation,
    gallery: source.gallery.finish(),
    heatScale: heatScale(ensemble),
    encodeImage,
    adapter: summary.adapter,
    driver: gpu.driver,
    memory: { ...summary.memory, samples: gpu.memory.samples, peakByOwner: gpu.memory.peakByOwner },
    seconds: summary.seconds,
    spans: (await source.profiler?.finish()) ?? [],
    losses: await readLosses(ensemble),
    notes: source.notes ?? [],
  });
  const folder = join(run, 'report');
  await mkdir(folder, { recursive: true });
  const path = join(folder, 'index.html');
  await writeFileAtomic(path, page);
  return path;
}

/** Loss curves of the trained positions, by `row, column`, from the parts of the run. */
async function readLosses(ensemble: TiledEnsemble): Promise<Map<string, readonly number[]>> {
  const { run, grid } = ensemble;
  const losses = new Map<string, readonly number[]>();
  for (const { part, position } of fittedParts(grid, run.configuration.shared)) {
    const name = lossPart(part);
    if (!run.has(name)) continue;
    const parsed = v.safeParse(v.array(v.number()), await run.readJson(name));
    if (!parsed.success) continue;
    const title =
      position === undefined
        ? 'all positions'
        : `row ${Math.floor(position / grid.columns) + 1}, column ${(position % grid.columns) + 1}`;
    losses.set(title, parsed.output);
  }
  return losses;
}
