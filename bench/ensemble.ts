import type { BenchOptions, BenchReport } from '../src/cli/bench.js';
import type { Gpu } from '../src/engine/gpu.js';
import { Profiler, type Span } from '../src/engine/profiler.js';
import type { TiledEnsemble } from '../src/ensemble/ensemble.js';
import { createBackbone } from '../src/models/backbones/index.js';
import { createPadim } from '../src/models/padim.js';
import { loadTuning } from '../src/node/tuning.js';
import { makeReport, type Row } from './report.js';
import { flatImage, planSynthetic, syntheticEnsemble, type SyntheticSetting } from './synthetic-ensemble.js';
import { interleave, spread, type Spread, type TimedTask } from './timing.js';
import { benchWeights } from './weights.js';

interface Grid {
  readonly name: string;
  /** Tiles an axis, and their distance as a share of the tile. */
  readonly side: number;
  readonly step: 0.5 | 1;
}

const grids: readonly Grid[] = [
  { name: '1x1', side: 1, step: 1 },
  { name: '2x2', side: 2, step: 1 },
  { name: '3x3', side: 3, step: 0.5 },
  { name: '7x7', side: 7, step: 1 },
];

/** How idle time is counted, for the reader of the figures. */
const idleCounting = {
  hardware:
    'device time of the compute passes, by timestamps, against the wall time of the same work without timestamps ' +
    '(which slow the host); copies between passes (parameters, pixels, results) count as idle',
  software:
    'share of the time from the start of the first pass to the end of the last one in which no compute pass ran, by ' +
    'timestamps; copies between passes (parameters, pixels, results) count as idle; the host shares its cores with this ' +
    'adapter, which slows the passes and does not show as idle',
} as const;

interface Figures {
  readonly name: string;
  readonly rows: readonly Row[];
  /** An image, double buffered. */
  readonly seconds: Spread;
  readonly tiles: number;
  readonly idle: number | undefined;
}

/**
 * Seconds an image for several grids at one tile size, with and without double buffering, and how long the device had
 * nothing to do. PaDiM on MobileNetV2, all stages of `predict` but the decoding of files. Parameters stream, one position
 * at a time on the device; on hardware they are also measured resident. The summary gives the resident figures there.
 */
export async function benchEnsemble(gpu: Gpu, options: BenchOptions): Promise<BenchReport> {
  const tile = options.tiny ? 64 : 256;
  const hardware = gpu.profile.class === 'hardware';
  const weights = await benchWeights('mobilenet-v2', { random: options.tiny === true });
  const base = {
    model: createPadim(options.tiny ? { dimensions: 8 } : {}),
    backbone: createBackbone('mobilenet-v2', weights),
    tile,
    batch: 4,
    tuning: await loadTuning(gpu),
    kernels: options.kernel,
  };
  const rows: Row[] = [];
  const summaries = new Map<'streamed' | 'resident', object>();
  for (const parameters of hardware || options.tiny ? (['streamed', 'resident'] as const) : (['streamed'] as const)) {
    const resident = parameters === 'streamed' ? 'never' : 'always';
    const settings = (options.tiny ? grids.slice(0, 2) : grids).map(({ name, side, step }) => {
      const stride = tile * step;
      return { name, ...base, image: tile + (side - 1) * stride, stride, resident } as const;
    });
    const figures = await measureGrids(gpu, options, settings);
    rows.push(...figures.flatMap((grid) => grid.rows.map((row) => ({ grid: grid.name, parameters, ...row }))));
    summaries.set(parameters, summarize(figures));
  }
  const shown = hardware ? 'resident' : 'streamed';
  return makeReport(gpu, rows, {
    ...summaries.get(shown),
    parameters: shown,
    ...(hardware && { streamed: summaries.get('streamed') }),
    idleCounting: idleCounting[hardware ? 'hardware' : 'software'],
  });
}

/** The worst of the grids, so that no grid can hide behind another. */
function summarize(found: readonly Figures[]): { overheadRatio: number; deviceIdleShare: number | null } {
  const perTile = found.map(({ seconds, tiles }) => seconds.median / tiles);
  const idles = found.flatMap(({ idle }) => idle ?? []);
  return {
    overheadRatio: Math.max(...perTile.slice(1)) / (perTile[0] ?? NaN),
    deviceIdleShare: idles.length > 0 ? Math.max(...idles) : null,
  };
}

/** Measures the grids turn by turn, so that what slows the machine for a while slows all of them; then their idle time. */
async function measureGrids(
  gpu: Gpu,
  options: BenchOptions,
  settings: readonly (SyntheticSetting & { readonly name: string })[],
): Promise<Figures[]> {
  const hardware = gpu.profile.class === 'hardware';
  // As many as make an upload of parameters worth its while; few enough for a software adapter.
  const images = options.tiny ? 2 : hardware ? 16 : 12;
  const tasks = new Map<string, TimedTask>();
  const made: TiledEnsemble[] = [];
  let samples: Map<string, number[]>;
  try {
    for (const setting of settings) {
      options.signal.throwIfAborted();
      options.onNote(`${setting.name}, parameters ${setting.resident === 'always' ? 'resident' : 'streamed'} …`);
      const { ensemble } = await syntheticEnsemble(gpu, setting);
      made.push(ensemble);
      const once = (count: number, waits: boolean) => (): Promise<number> => {
        options.signal.throwIfAborted();
        return predict(gpu, ensemble, count, waits);
      };
      tasks.set(`${setting.name} double buffered`, once(images, false));
      tasks.set(`${setting.name} one after the other`, once(images, true));
      tasks.set(`${setting.name} a single image`, once(1, false));
      // The first has all to compile and, where parameters stay, to upload.
      await once(1, false)();
    }
    samples = await interleave(tasks, {
      iterations: options.samples ?? (options.tiny ? 1 : hardware ? 3 : 2),
      time: 0,
    });
  } finally {
    for (const ensemble of made) ensemble.destroy();
  }
  const found: Figures[] = [];
  for (const setting of settings) {
    const { positions: tiles } = planSynthetic(gpu, setting).grid;
    const seconds = (buffering: string, count: number): Spread =>
      spread((samples.get(`${setting.name} ${buffering}`) ?? []).map((value) => value / 1000 / count));
    const buffered = seconds('double buffered', images);
    options.onNote(`${setting.name}, idle time …`);
    const idle = await idleShare(gpu, setting, images, buffered.median * images);
    const row = (buffering: string, count: number, idleShown: number | null): Row => ({
      tiles,
      image: setting.image,
      stride: setting.stride,
      buffering,
      images: count,
      secondsPerImage: seconds(buffering, count),
      deviceIdleShare: idleShown,
    });
    const rows = [
      row('double buffered', images, idle ?? null),
      row('one after the other', images, null),
      row('a single image', 1, null),
    ];
    found.push({ name: setting.name, seconds: buffered, tiles, idle, rows });
  }
  return found;
}

/** Predicts a series of images; gives the milliseconds. With `waits` the host does nothing while a batch computes. */
async function predict(gpu: Gpu, ensemble: TiledEnsemble, images: number, waits: boolean): Promise<number> {
  const size = ensemble.grid.image;
  const image = flatImage(size);
  const { predictor } = ensemble;
  const submit = predictor.submit.bind(predictor);
  if (waits) {
    predictor.submit = async (...batch) => {
      await submit(...batch);
      await gpu.idle('one after the other');
    };
  }
  const inputs = Array.from({ length: images }, (_, index) => ({
    name: `image ${index}`,
    read: () => Promise.resolve(image),
  }));
  const started = performance.now();
  let count = 0;
  for await (const prediction of ensemble.predictMany(inputs)) count += prediction.rawScores.maximum >= 0 ? 1 : 0;
  predictor.submit = submit;
  if (count !== images) throw new Error(`${count} of ${images} images came back`);
  return performance.now() - started;
}

/** See {@link idleCounting}; `seconds` is what the images took. Undefined where the adapter has no timestamps. */
async function idleShare(
  gpu: Gpu,
  setting: SyntheticSetting,
  images: number,
  seconds: number,
): Promise<number | undefined> {
  if (!gpu.profile.features.has('timestamp-query')) return undefined;
  const profiler = new Profiler(gpu, 'pass');
  const { ensemble } = await syntheticEnsemble(gpu, setting, profiler);
  try {
    await predict(gpu, ensemble, 1, false);
    await profiler.finish();
    profiler.spans.length = 0;
    await predict(gpu, ensemble, images, false);
    await profiler.finish();
    const passes = profiler.spans.filter(({ track }) => track === 'device');
    if (gpu.profile.class !== 'hardware') return idleOf(passes);
    const busy = passes.reduce((sum, { duration }) => sum + duration / 1e6, 0);
    return Math.max(0, 1 - busy / seconds);
  } finally {
    ensemble.destroy();
  }
}

/** Share of the time from the first span's start to the last one's end that no span covers. */
export function idleOf(spans: readonly Pick<Span, 'start' | 'duration'>[]): number {
  const sorted = [...spans].sort((a, b) => a.start - b.start);
  const [first] = sorted;
  if (!first) return 0;
  let end = first.start;
  let busy = 0;
  for (const { start, duration } of sorted) {
    const stop = start + duration;
    if (stop > end) {
      busy += stop - Math.max(start, end);
      end = stop;
    }
  }
  return end > first.start ? 1 - busy / (end - first.start) : 0;
}
