import type { BenchOptions, BenchReport } from '../src/cli/bench.js';
import type { Gpu } from '../src/engine/gpu.js';
import { Profiler, type Span } from '../src/engine/profiler.js';
import type { TiledEnsemble } from '../src/ensemble/ensemble.js';
import { createBackbone } from '../src/models/backbones/index.js';
import { createPadim } from '../src/models/padim.js';
import { loadTuning } from '../src/node/tuning.js';
import { makeReport, type Row } from './report.js';
import { flatImage, syntheticEnsemble, type SyntheticSetting } from './synthetic-ensemble.js';
import { interleave, scaled, spread, type Spread } from './timing.js';
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
  const backbone = createBackbone('mobilenet-v2', weights);
  const tuning = await loadTuning(gpu);
  const rows: Row[] = [];
  const found: Record<'streamed' | 'resident', Map<string, Figures>> = { streamed: new Map(), resident: new Map() };
  for (const grid of options.tiny ? grids.slice(0, 2) : grids) {
    const stride = tile * grid.step;
    const setting = {
      model: createPadim(options.tiny ? { dimensions: 8 } : {}),
      backbone,
      image: tile + (grid.side - 1) * stride,
      tile,
      stride,
      batch: 4,
      tuning,
      kernels: options.kernel,
    };
    for (const parameters of hardware || options.tiny ? (['streamed', 'resident'] as const) : (['streamed'] as const)) {
      options.signal.throwIfAborted();
      options.onNote(`${grid.name}, parameters ${parameters} …`);
      const resident = parameters === 'streamed' ? 'never' : 'always';
      const { figures, rows: own } = await measureGrid(gpu, options, grid.name, { ...setting, resident });
      rows.push(...own.map((row) => ({ grid: grid.name, parameters, ...row })));
      found[parameters].set(grid.name, figures);
    }
  }
  const shown = hardware ? 'resident' : 'streamed';
  return makeReport(gpu, rows, {
    ...summarize(found[shown]),
    parameters: shown,
    ...(hardware && { streamed: summarize(found.streamed) }),
    idleCounting: idleCounting[hardware ? 'hardware' : 'software'],
  });
}

/** The worst of the grids, so that no grid can hide behind another. */
function summarize(found: ReadonlyMap<string, Figures>): { overheadRatio: number; deviceIdleShare: number | null } {
  const one = found.get('1x1')?.seconds.median ?? NaN;
  const ratios = [...found]
    .filter(([name]) => name !== '1x1')
    .map(([, { seconds, tiles }]) => seconds.median / tiles / one);
  const idles = [...found.values()].flatMap(({ idle }) => idle ?? []);
  return { overheadRatio: Math.max(...ratios), deviceIdleShare: idles.length > 0 ? Math.max(...idles) : null };
}

async function measureGrid(
  gpu: Gpu,
  options: BenchOptions,
  name: string,
  setting: SyntheticSetting,
): Promise<{ figures: Figures; rows: Row[] }> {
  const { ensemble, plan } = await syntheticEnsemble(gpu, setting);
  const tiles = plan.grid.positions;
  // As many as make an upload of parameters worth its while; few enough for a software adapter.
  const images = options.tiny ? 2 : gpu.profile.class === 'hardware' || tiles < 16 ? 16 : 12;
  const iterations = options.samples ?? (options.tiny || (gpu.profile.class !== 'hardware' && tiles >= 16) ? 1 : 3);
  let samples: Map<string, number[]>;
  try {
    const once = (count: number, waits: boolean) => (): Promise<number> => {
      options.signal.throwIfAborted();
      return predict(gpu, ensemble, count, waits);
    };
    // The first has all to compile and, where parameters stay, to upload.
    await once(1, false)();
    samples = await interleave(
      new Map([
        ['double buffered', once(images, false)],
        ['one after the other', once(images, true)],
        ['a single image', once(1, false)],
      ]),
      { iterations, time: 0 },
    );
  } finally {
    ensemble.destroy();
  }
  const buffered = samples.get('double buffered')?.map((value) => value / 1000) ?? [];
  if (buffered.length === 0) throw new Error(`${name} was not measured`);
  const seconds = spread(buffered);
  const idle = await idleShare(gpu, setting, images, seconds.median);
  const rows = [...samples].map(([buffering, milliseconds]): Row => {
    const count = buffering === 'a single image' ? 1 : images;
    return {
      tiles,
      image: setting.image,
      stride: setting.stride,
      buffering,
      images: count,
      secondsPerImage: spread(milliseconds.map((value) => value / 1000 / count)),
      deviceIdleShare: buffering === 'double buffered' ? (idle ?? null) : null,
    };
  });
  return { figures: { seconds: scaled(seconds, 1 / images), tiles, idle }, rows };
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
