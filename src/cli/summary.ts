import { formatBytes } from '../engine/memory.js';
import { chromeTrace, summarise, type Profiler } from '../engine/profiler.js';
import { writeFileAtomic } from '../node/files.js';
import type { RunSummary } from '../node/training.js';
import { remark } from './terminal.js';

/** Writes a trace for Chrome's or Perfetto's viewer and prints where the time went. */
export async function writeProfile(profiler: Profiler, file: string): Promise<void> {
  const spans = await profiler.finish();
  await writeFileAtomic(file, JSON.stringify(chromeTrace(spans)));
  for (const track of ['host', 'device'] as const) {
    remark(`time on the ${track}:`);
    for (const { name, milliseconds, count } of summarise(spans, track).slice(0, 20)) {
      remark(`  ${milliseconds.toFixed(1).padStart(10)} ms  ${String(count).padStart(6)} x  ${name}`);
    }
  }
  remark(`trace: ${file} (open it in chrome://tracing or ui.perfetto.dev)`);
}

/** A summary for people. */
export function summaryLines(summary: RunSummary): string[] {
  const { metrics, images, memory, seconds, thresholds } = summary;
  const figure = (name: string): string => {
    const value = metrics[name];
    return value === null || value === undefined ? '–' : value.toFixed(4);
  };
  const tested = images.good + images.anomalous;
  return [
    `${summary.model} on ${summary.backbone}: ${summary.grid.join('x')} tiles of ${summary.tileSize.join('x')}, ${images.train} training images`,
    ...(tested > 0
      ? [
          `${images.good} good and ${images.anomalous} anomalous test images:`,
          `  image  AUROC ${figure('imageAUROC')}  F1 ${figure('imageF1')}   (by maximum ${figure('imageAUROCMaximum')}, by mean ${figure('imageAUROCMean')})`,
          `  pixel  AUROC ${figure('pixelAUROC')}  F1 ${figure('pixelF1')}  AUPRO ${figure('pixelAUPRO')}`,
        ]
      : ['no labelled test images: nothing evaluated']),
    `thresholds: image ${thresholds.image.toPrecision(4)}, pixel ${thresholds.pixel.toPrecision(4)} (from ${thresholds.source})`,
    `device memory: peak ${formatBytes(memory.peakBytes)}, planned ${formatBytes(memory.plannedBytes)}`,
    `seconds: decode ${seconds.decode.toFixed(1)}, train ${seconds.train.toFixed(1)}, predict ${seconds.predict.toFixed(1)}, total ${seconds.total.toFixed(1)}`,
    `run: ${summary.run}`,
  ];
}
