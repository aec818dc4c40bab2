import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { all, report, shared, tilesight, trainJson } from './support.js';

interface Setup {
  readonly name: string;
  readonly image: number;
  readonly tile: number;
  readonly stride: number;
  readonly shared?: boolean;
}

/** The paper's setups on the real category. */
const setups: readonly Setup[] = [
  { name: 'single 256', image: 256, tile: 256, stride: 256 },
  { name: 'single 512', image: 512, tile: 512, stride: 512 },
  { name: 'shared 2x2 at 512', image: 512, tile: 256, stride: 256, shared: true },
  { name: 'shared 3x3 at 512', image: 512, tile: 256, stride: 128, shared: true },
  { name: 'ensemble 2x2 at 512', image: 512, tile: 256, stride: 256 },
  { name: 'ensemble 3x3 at 512', image: 512, tile: 256, stride: 128 },
];

/** The paper's table on MVTec AD bottle, and the effect of resolution on synthetic defects of stated sizes. */
export async function run(): Promise<boolean> {
  const results: boolean[] = [];
  const folder = shared();
  const columns = '| setup | image AUROC (maximum) | (mean) | pixel AUROC | AUPRO |\n| --- | --- | --- | --- | --- |';
  if (folder) {
    console.log(columns);
    for (const setup of setups) {
      const { metrics } = await trainJson([
        ...['--data', join(folder, 'data', 'mvtec', 'bottle'), '--backbone', 'resnet18'],
        ...['--weights', join(folder, 'weights', 'resnet18.safetensors'), '--validation', 'same-as-test', '--no-check'],
        ...sizeWords(setup),
      ]);
      console.log(row(setup.name, metrics));
      if (setup.name === 'ensemble 3x3 at 512') {
        results.push(report('3x3 image AUROC', metrics.imageAUROC, 0.986));
        results.push(report('3x3 pixel AUROC', metrics.pixelAUROC, 0.981));
      }
    }
  }
  const temporary = mkdtempSync(join(tmpdir(), 'tilesight-defects-'));
  try {
    console.log(`\nsynthetic boards of 1024 pixels by size of the defects\n${columns}`);
    for (const pixels of [8, 16, 32]) {
      const data = join(temporary, `board-${pixels}`);
      const drawn = [
        '--size',
        '1024',
        '--train',
        '24',
        '--good',
        '10',
        '--per-kind',
        '3',
        '--defect-pixels',
        String(pixels),
      ];
      const { code, stderr } = await tilesight(['synth', '--out', data, ...drawn]);
      if (code !== 0) throw new Error(stderr);
      const scores = new Map<number, number>();
      for (const setup of [
        { name: `≤ ${pixels} px, single, image scaled to 256`, image: 256, tile: 256, stride: 256 },
        { name: `≤ ${pixels} px, ensemble 4x4 at 1024`, image: 1024, tile: 256, stride: 256 },
      ]) {
        const { metrics } = await trainJson([
          '--data',
          data,
          '--backbone',
          'mobilenet-v2',
          '--no-check',
          ...sizeWords(setup),
        ]);
        console.log(row(setup.name, metrics));
        scores.set(setup.image, metrics.pixelAUPRO);
      }
      results.push(
        report(`≤ ${pixels} px: AUPRO gained by the ensemble`, (scores.get(1024) ?? 0) - (scores.get(256) ?? 0), 0),
      );
    }
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return all(results);
}

function sizeWords({ image, tile, stride, shared: one }: Setup): string[] {
  const words = ['--image-size', String(image), '--tile-size', String(tile), '--stride', String(stride)];
  return one ? [...words, '--shared'] : words;
}

function row(
  name: string,
  metrics: { imageAUROCMaximum: number; imageAUROCMean: number; pixelAUROC: number; pixelAUPRO: number },
): string {
  const figures = [metrics.imageAUROCMaximum, metrics.imageAUROCMean, metrics.pixelAUROC, metrics.pixelAUPRO];
  return `| ${name} | ${figures.map((figure) => figure.toFixed(4)).join(' | ')} |`;
}
