import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { all, report, shared, tilesight, trainJson, type TrainedMetrics } from './support.js';

interface Setup {
  readonly name: string;
  readonly image: number;
  readonly tile: number;
  readonly stride: number;
  readonly shared?: boolean;
}

/** The paper's setups on the real category. */
const bottleSetups: readonly Setup[] = [
  { name: 'single 256', image: 256, tile: 256, stride: 256 },
  { name: 'single 512', image: 512, tile: 512, stride: 512 },
  { name: 'shared 2x2 at 512', image: 512, tile: 256, stride: 256, shared: true },
  { name: 'shared 3x3 at 512', image: 512, tile: 256, stride: 128, shared: true },
  { name: 'ensemble 2x2 at 512', image: 512, tile: 256, stride: 256 },
  { name: 'ensemble 3x3 at 512', image: 512, tile: 256, stride: 128 },
];

const header = '| setup | image AUROC (maximum) | (mean) | pixel AUROC | AUPRO |\n| --- | --- | --- | --- | --- |';

/** A list of numbers from the environment. */
function numbers(variable: string, otherwise: string): number[] {
  const found = (process.env[variable] ?? otherwise).split(',').map(Number);
  if (!found.every((value) => Number.isInteger(value) && value > 0))
    throw new Error(`${variable}: give positive whole numbers with commas between, as ${otherwise}`);
  return found;
}

/**
 * The paper's table on MVTec AD bottle, and the effect of resolution on synthetic defects of stated sizes, each row as soon
 * as it is there. In parts: `TILESIGHT_ONLY=bottle` or `synthetic`; `TILESIGHT_SHARED` is the folder that holds
 * `data/mvtec/bottle` and `weights/resnet18.safetensors`, `TILESIGHT_SIZE` the side of the synthetic images (2048) and
 * `TILESIGHT_DEFECTS` the largest sides of their defects in pixels (`8,16,32`).
 */
export async function run(): Promise<boolean> {
  const only = process.env['TILESIGHT_ONLY'];
  if (only !== undefined && only !== 'bottle' && only !== 'synthetic')
    throw new Error(`TILESIGHT_ONLY=${only}: give bottle or synthetic`);
  const results: boolean[] = [];
  const folder = shared();
  if (only !== 'synthetic' && folder) results.push(...(await bottleTable(folder)));
  if (only !== 'bottle') results.push(...(await syntheticTable()));
  return all(results);
}

async function bottleTable(folder: string): Promise<boolean[]> {
  const results: boolean[] = [];
  console.log(`MVTec AD bottle, PaDiM on ResNet-18\n${header}`);
  for (const setup of bottleSetups) {
    const { metrics } = await trainJson([
      ...['--data', join(folder, 'data', 'mvtec', 'bottle'), '--backbone', 'resnet18'],
      ...['--weights', join(folder, 'weights', 'resnet18.safetensors'), '--validation', 'same-as-test', '--no-check'],
      ...sizeWords(setup),
    ]);
    console.log(row(setup.name, metrics));
    if (setup.name !== 'ensemble 3x3 at 512') continue;
    results.push(report('3x3 image AUROC', metrics.imageAUROC, 0.986));
    results.push(report('3x3 pixel AUROC', metrics.pixelAUROC, 0.981));
  }
  return results;
}

async function syntheticTable(): Promise<boolean[]> {
  const [size = 2048] = numbers('TILESIGHT_SIZE', '2048');
  const tile = 256;
  const side = Math.ceil(size / tile);
  const results: boolean[] = [];
  const temporary = mkdtempSync(join(tmpdir(), 'tilesight-defects-'));
  try {
    console.log(`\nsynthetic boards of ${size} pixels by size of the defects, PaDiM on MobileNetV2\n${header}`);
    for (const pixels of numbers('TILESIGHT_DEFECTS', '8,16,32')) {
      const data = join(temporary, `board-${pixels}`);
      const drawn = ['--train', '24', '--good', '10', '--per-kind', '3', '--defect-pixels', String(pixels)];
      const { code, stderr } = await tilesight(['synth', '--out', data, '--size', String(size), ...drawn]);
      if (code !== 0) throw new Error(stderr);
      const gained: number[] = [];
      for (const setup of [
        { name: `≤ ${pixels} px, single, image scaled to 256`, image: tile, tile, stride: tile },
        { name: `≤ ${pixels} px, single, image scaled to 512`, image: 2 * tile, tile: 2 * tile, stride: 2 * tile },
        { name: `≤ ${pixels} px, ensemble ${side}x${side} at ${size}`, image: size, tile, stride: tile },
      ]) {
        const words = ['--data', data, '--backbone', 'mobilenet-v2', '--no-check', ...sizeWords(setup)];
        const { metrics } = await trainJson(words);
        console.log(row(setup.name, metrics));
        gained.push(metrics.pixelAUPRO);
      }
      const ensemble = gained.pop() ?? NaN;
      results.push(report(`≤ ${pixels} px: AUPRO gained by the ensemble`, ensemble - Math.max(...gained), 0));
      rmSync(data, { recursive: true, force: true });
    }
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return results;
}

function sizeWords({ image, tile, stride, shared: one }: Setup): string[] {
  const words = ['--image-size', String(image), '--tile-size', String(tile), '--stride', String(stride)];
  return one ? [...words, '--shared'] : words;
}

function row(name: string, metrics: TrainedMetrics): string {
  const figures = [metrics.imageAUROCMaximum, metrics.imageAUROCMean, metrics.pixelAUROC, metrics.pixelAUPRO];
  return `| ${name} | ${figures.map((figure) => figure.toFixed(4)).join(' | ')} |`;
}
