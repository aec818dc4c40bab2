import type { BenchOptions, BenchReport } from '../src/cli/bench.js';
import type { Gpu } from '../src/engine/gpu.js';
import { Profiler, type Span } from '../src/engine/profiler.js';
import type { TiledEnsemble } from '../src/ensemble/ensemble.js';
import { createBackbone } from '../src/models/backbones/index.js';
import { createPadim } from '../src/models/padim.js';
import { loadTuning } from '../src/node/tuning.js';
import { makeReport, type Row } from './report.js';
import { flatImage, syntheticEnsemble, type SyntheticSetting } from './synthetic-ensemble.js';
import { interleave, spread, type Spread } from './timing.js';
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

/**
 * Seconds an image for several grids at one tile size, with and without double buffering, and how long the device had
 * nothing to do. PaDiM on MobileNetV2, all stages of `predict` but the decoding of files.
 */
export async function benchEnsemble(gpu: Gpu, options: BenchOptions): Promise<BenchReport> {
  const tile = options.tiny ? 64 : 256;
  const images = options.tiny ? 2 : 16;
  const weights = await benchWeights('mobilenet-v2', { random: options.tiny === true });
  const backbone = createBackbone('mobilenet-v2', weights);
  const tuning = await loadTuning(gpu);
  const rows: Row[] = [];
  const found = new Map<string, { seconds: Spread; tiles: number; idle: number | undefined }>();
  for (const grid of options.tiny ? grids.slice(0, 2) : grids) {
    options.signal.throwIfAborted();
    options.onNote(`${grid.name} …`);
    const stride = tile * grid.step;
    const setting: SyntheticSetting = {
      model: createPadim(options.tiny ? { dimensions: 8 } : {}),
      backbone,
      image: tile + (grid.side - 1) * stride,
      tile,
      stride,
      batch: 4,
      tuning,
      kernels: options.kernel,
    };
    const plain = await syntheticEnsemble(gpu, setting);
    const tiles = plain.plan.grid.positions;
    try {
      const once = (count: number, waits: boolean) => (): Promise<number> => {
        options.signal.throwIfAborted();
        return predict(gpu, plain.ensemble, count, waits);
      };
      const samples = await interleave(
        new Map([
          ['double buffered', once(images, false)],
          ['one after the other', once(images, true)],
          ['a single image', once(1, false)],
        ]),
        { iterations: options.samples ?? (options.tiny ? 1 : 3), time: 0 },
      );
      const idle = await idleShare(gpu, setting, images);
      for (const [buffering, milliseconds] of samples) {
        const buffered = buffering === 'double buffered';
        const count = buffering === 'a single image' ? 1 : images;
        const seconds = spread(milliseconds.map((value) => value / 1000 / count));
        rows.push({
          grid: grid.name,
          tiles,
          image: setting.image,
          stride,
          buffering,
          images: count,
          secondsPerImage: seconds,
          deviceIdleShare: buffered ? (idle ?? null) : null,
        });
        if (buffered) found.set(grid.name, { seconds, tiles, idle });
      }
    } finally {
      plain.ensemble.destroy();
    }
  }
  const one = found.get('1x1')?.seconds.median ?? NaN;
  const ratios = [...found]
    .filter(([name]) => name !== '1x1')
    .map(([, { seconds, tiles }]) => seconds.median / tiles / one);
  const idles = [...found.values()].flatMap(({ idle }) => idle ?? []);
  // The worst of the grids, so that no grid can hide behind another.
  return makeReport(gpu, rows, {
    overheadRatio: Math.max(...ratios),
    deviceIdleShare: idles.length > 0 ? Math.max(...idles) : null,
  });
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

/**
 * Share of the time between the first and the last pass in which no pass ran, by the device's own timestamps. What is
 * copied between passes (uploads of parameters, results) counts as idle. Undefined where the adapter has no timestamps.
 */
async function idleShare(gpu: Gpu, setting: SyntheticSetting, images: number): Promise<number | undefined> {
  if (!gpu.profile.features.has('timestamp-query')) return undefined;
  const profiler = new Profiler(gpu, 'pass');
  const { ensemble } = await syntheticEnsemble(gpu, setting, profiler);
  try {
    await profiler.finish();
    const before = profiler.spans.length;
    await predict(gpu, ensemble, images, false);
    await profiler.finish();
    const ends = [...profiler.spans].filter(({ track }) => track === 'device');
    return idleOf(ends.slice(ends.length - (profiler.spans.length - before)));
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
