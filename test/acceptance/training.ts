import { join } from 'node:path';
import { all, report, shared, trainJson } from './support.js';

/** Steps that a line takes, in batches of 8. */
const lines = [
  { model: 'fastflow', steps: 80, ensembleSteps: 20 },
  { model: 'reverse-distillation', steps: 80, ensembleSteps: 20 },
  { model: 'stfpm', steps: 100, ensembleSteps: 30 },
] as const;

/**
 * The models that are trained by gradients on MVTec AD bottle: one position at 128 pixels, then a 2×2 ensemble at 256;
 * both with steps and minutes stated.
 */
export async function run(): Promise<boolean> {
  const folder = shared();
  if (!folder) return true;
  const common = [
    ...['--data', join(folder, 'data', 'mvtec', 'bottle'), '--backbone', 'resnet18'],
    ...['--weights', join(folder, 'weights', 'resnet18.safetensors'), '--validation', 'same-as-test', '--no-check'],
    ...['--tile-size', '128', '--batch', '8'],
  ];
  const results: boolean[] = [];
  for (const { model, steps, ensembleSteps } of lines) {
    const words = [...common, '--model', model];
    const single = await trainJson([...words, '--image-size', '128', `--${model}.steps`, String(steps)]);
    const minutes = single.seconds.total / 60;
    console.log(`${model}, one position at 128, ${steps} steps: ${minutes.toFixed(1)} minutes`);
    results.push(report(`${model} image AUROC`, single.metrics.imageAUROC, 0.95));
    results.push(report(`${model} pixel AUROC`, single.metrics.pixelAUROC, 0.93));
    results.push(report(`${model} minutes`, minutes, 25, '≤'));
    const share = single.memory.peakBytes / single.memory.plannedBytes;
    results.push(report(`${model} measured over planned bytes`, share, 1, '≤'));
    results.push(report(`${model} measured over planned bytes`, share, 0.99));

    const ensemble = await trainJson([...words, '--image-size', '256', `--${model}.steps`, String(ensembleSteps)]);
    console.log(
      `${model}, 2x2 at 256, ${ensembleSteps} steps a position: ${(ensemble.seconds.total / 60).toFixed(1)} minutes`,
    );
    results.push(report(`${model} 2x2 image AUROC`, ensemble.metrics.imageAUROC, 0.9));
    results.push(report(`${model} 2x2 pixel AUROC`, ensemble.metrics.pixelAUROC, 0.9));
  }
  return all(results);
}
