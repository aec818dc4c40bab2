import { join } from 'node:path';
import { all, report, shared, trainJson } from './support.js';

/** PaDiM on MVTec AD bottle, beside published figures and those of an independent implementation. */
export async function run(): Promise<boolean> {
  const folder = shared();
  if (!folder) return true;
  const data = join(folder, 'data', 'mvtec', 'bottle');
  const resnet18 = ['--backbone', 'resnet18', '--weights', join(folder, 'weights', 'resnet18.safetensors')];
  const common = ['--data', data, '--model', 'padim', '--validation', 'same-as-test', '--no-check'];
  const results: boolean[] = [];
  const line = async (name: string, words: string[], image: number, pixel: number): Promise<void> => {
    const { metrics, memory, seconds } = await trainJson([...common, ...words]);
    console.log(
      `${name}: AUROC by maximum ${metrics.imageAUROCMaximum.toFixed(4)}, by mean ${metrics.imageAUROCMean.toFixed(4)}; ` +
        `AUPRO ${metrics.pixelAUPRO.toFixed(4)}; ${seconds.total.toFixed(0)} s`,
    );
    results.push(report(`${name} image AUROC`, metrics.imageAUROC, image));
    results.push(report(`${name} pixel AUROC`, metrics.pixelAUROC, pixel));
    results.push(report(`${name} measured over planned bytes`, memory.peakBytes / memory.plannedBytes, 1, '≤'));
  };
  const single = ['--image-size', '256', '--tile-size', '256'];
  await line('single 256', [...resnet18, ...single], 0.993, 0.981);
  await line(
    '2x2 of 256 at 512',
    [...resnet18, '--image-size', '512', '--tile-size', '256', '--stride', '256'],
    0.982,
    0.981,
  );
  await line('embedded backbone, single 256', ['--backbone', 'mobilenet-v2', ...single], 0.985, 0.97);
  return all(results);
}
