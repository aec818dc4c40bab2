import type { RgbImage } from '../data/image.js';
import type { MemorySample } from '../engine/memory.js';
import type { Span } from '../engine/profiler.js';
import type { RunConfiguration } from '../ensemble/configuration.js';
import type { Evaluation } from '../ensemble/evaluate.js';
import type { EnsembleStatistics } from '../ensemble/statistics.js';
import type { TileGrid } from '../ensemble/tiling.js';
import type { Gallery } from './gallery.js';
import type { HeatScale } from './heat-map.js';

/** Encodes an image for a page: a `data:` URL. */
export type ImageEncoder = (image: RgbImage) => Promise<string>;

/** All that a report is made of. */
export interface ReportInput {
  /** Name of the run: the page's title. */
  readonly title: string;
  /** When the report was made. */
  readonly date: Date;
  /** Version of Tilesight. */
  readonly version: string;
  readonly configuration: RunConfiguration;
  readonly grid: TileGrid;
  readonly statistics: EnsembleStatistics;
  /** Thresholds in force, in raw scores; the user's where they replace the fitted ones. */
  readonly thresholds: { readonly image: number; readonly pixel: number };
  /** Undefined where no image was labelled. */
  readonly evaluation: Evaluation | undefined;
  /** Images that were predicted: of the test split, or good ones held out of training where there is none. */
  readonly predicted: 'test' | 'held-out';
  readonly gallery: Gallery;
  /** The scale of the gallery's heat maps. */
  readonly heatScale: HeatScale;
  readonly encodeImage: ImageEncoder;
  readonly adapter: { readonly name: string; readonly type: string; readonly features: readonly string[] };
  /** The driver in its own words. */
  readonly driver: string;
  readonly memory: ReportMemory;
  readonly seconds: ReportSeconds;
  /** Spans of a profiled run; empty without a profile. */
  readonly spans: readonly Span[];
  /** Losses of trained positions, step by step, by a name for the position. */
  readonly losses: ReadonlyMap<string, readonly number[]>;
  /** What the user should know, a line each. */
  readonly notes: readonly string[];
}

/** Device memory of a run. */
export interface ReportMemory {
  readonly peakBytes: number;
  /** What planning promised for one tile at a time. */
  readonly plannedBytes: number;
  readonly budgetBytes: number | null;
  /** Device bytes over time. */
  readonly samples: readonly MemorySample[];
  /** Highest bytes of each owner. */
  readonly peakByOwner: ReadonlyMap<string, number>;
}

/** Wall-clock seconds by stage; `total` holds the others. */
export interface ReportSeconds {
  readonly decode: number;
  readonly train: number;
  readonly predict: number;
  readonly total: number;
}
