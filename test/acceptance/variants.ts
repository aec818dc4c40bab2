import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Backbone } from '../../src/models/backbones/backbone.js';
import { createBackbone } from '../../src/models/backbones/index.js';
import { createPadim } from '../../src/models/padim.js';
import { planPredictor } from '../../src/models/predictor.js';
import { readBackboneWeights } from '../../src/models/weights/network-weights.js';
import { embeddedMobilenetV2 } from '../../src/node/embedded-weights.js';
import { openGpu } from '../../src/node/gpu.js';
import { all, report, shared, tilesight, trainJson } from './support.js';

/** Every kernel variant forced through a whole PaDiM run on synthetic images: no score may depend on which is taken. */
export async function run(): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'tilesight-variants-'));
  const data = join(folder, 'board');
  try {
    const counts = ['--train', '24', '--good', '12', '--per-kind', '3'];
    const { code, stderr } = await tilesight(['synth', '--out', data, '--size', '256', ...counts]);
    if (code !== 0) throw new Error(`synth ended with ${code}: ${stderr}`);
    const results: boolean[] = [];
    const directory = shared();
    const weights = directory && join(directory, 'weights', 'resnet18.safetensors');
    const backbones: [Backbone, string[]][] = [
      [createBackbone('mobilenet-v2', await embeddedMobilenetV2()), ['--backbone', 'mobilenet-v2']],
    ];
    if (weights) {
      const words = ['--backbone', 'resnet18', '--weights', weights];
      backbones.push([createBackbone('resnet18', readBackboneWeights(readFileSync(weights), weights)), words]);
    }
    for (const [backbone, words] of backbones) {
      const common = [...words, '--data', data, '--model', 'padim', '--image-size', '256', '--tile-size', '128'];
      const train = (more: string[]) => trainJson([...common, '--no-check', ...more]);
      const { metrics: plain } = await train([]);
      console.log(`${backbone.name}: image AUROC ${plain.imageAUROC.toFixed(4)}, pixel ${plain.pixelAUROC.toFixed(5)}`);
      for (const [operator, variant] of await variantsOf(backbone)) {
        const { metrics } = await train(['--kernel', `${operator}=${variant}`]);
        const apart = Math.max(
          Math.abs(metrics.imageAUROC - plain.imageAUROC),
          Math.abs(metrics.pixelAUROC - plain.pixelAUROC),
        );
        results.push(report(`${backbone.name}, ${operator}=${variant}: change of AUROC`, apart, 0.001, '≤'));
      }
    }
    return all(results);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** All variants that some operator of the backbone or of PaDiM's head offers on this adapter. */
async function variantsOf(backbone: Backbone): Promise<[string, string][]> {
  const gpu = await openGpu();
  try {
    const { frozen, head } = planPredictor(createPadim(), {
      backbone,
      tile: { height: 128, width: 128 },
      batch: 4,
      seed: 42,
      adapter: gpu.profile,
      budgetBytes: Infinity,
      trainingImages: 24,
    });
    const found = new Map<string, [string, string]>();
    for (const { alternatives } of [frozen, head]) {
      for (const [key, variants] of alternatives) {
        const [operator = ''] = key.split('|');
        for (const variant of variants) found.set(`${operator}=${variant}`, [operator, variant]);
      }
    }
    return [...found.values()];
  } finally {
    gpu.destroy();
  }
}
