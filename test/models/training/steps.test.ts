import { describe, expect, it } from 'vitest';
import type { NamedTensors } from '../../../src/engine/tensor.js';
import type { AnomalyModel } from '../../../src/models/anomaly-model.js';
import { completeOptions, type ModelDefinition } from '../../../src/models/definition.js';
import { fastflow } from '../../../src/models/fastflow.js';
import { reverseDistillation } from '../../../src/models/reverse-distillation.js';
import { stfpm } from '../../../src/models/stfpm.js';
import { batchImages } from '../../../src/models/training/batches.js';
import { permutation } from '../../../src/models/training/random.js';
import { testGpu } from '../../gpu.js';
import {
  fastflowLoss64,
  reverseDistillationLoss64,
  stfpmLoss64,
  type ReferenceLoss,
} from '../../reference/trained-models.js';
import { Tape } from '../../reference/autodiff.js';
import type { HostTensor } from '../../../src/engine/tensor.js';
import { fit, frozenFeatures, noiseTiles, tinyBackbone, tinySetting } from './tiny.js';

const batch = 3;

const model = (definition: ModelDefinition, options: Record<string, number | string>): AnomalyModel =>
  definition.create(completeOptions(definition, { 'checkpoint-steps': 1, ...options }));

function values(tensors: NamedTensors | undefined, name: string): Float32Array {
  const found = tensors?.get(name);
  if (!found) throw new Error(`no tensor ${name}`);
  return found.data;
}

/** Gradients that an update was made of, recovered from the optimiser's state before and after a step. */
type Recover = (before: NamedTensors, after: NamedTensors, name: string, index: number) => number;

const adamGradient =
  (beta1: number): Recover =>
  (before, after, name, index) => {
    const [old, now] = [before, after].map((state) => values(state, `optimizer.0.${name}`)[index] ?? NaN);
    return ((now ?? NaN) - beta1 * (old ?? NaN)) / (1 - beta1);
  };

const sgdGradient: Recover = (before, after, name, index) => {
  const [old, now] = [before, after].map((state) => values(state, `optimizer.0.${name}`)[index] ?? NaN);
  return (now ?? NaN) - 0.9 * (old ?? NaN);
};

/** The largest difference between two lists of numbers. */
const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((worst, value, index) => Math.max(worst, Math.abs(value - (b[index] ?? NaN))), 0);

/**
 * Error allowed, as a multiple of what rounding every stored number once does: sums inside an operator round at every
 * term, and Winograd's transforms round more than a plain sum. Six and less were seen.
 */
const roundings = 32;

/** Trains some steps and holds each against the f64 reference, from the device's own state before the step. */
async function expectSteps(
  trained: AnomalyModel,
  side: number,
  backbone: ReturnType<typeof tinyBackbone>,
  weightDecay: number,
  recover: Recover,
  reference: (state: NamedTensors, features: readonly HostTensor[], tape: Tape) => ReferenceLoss,
): Promise<void> {
  const gpu = await testGpu();
  const setting = tinySetting(gpu, backbone, side, batch);
  const tiles = noiseTiles(5, side);
  const planned = trained.planFit(setting).peakBytes;
  const { position, checkpoints, peakBytes } = await fit(gpu, trained, setting, { tiles });
  // The windows of transfers, which are allocated once a device, are planned by the ensemble.
  expect([0, 1, 2, 3].map((windows) => planned + windows * 2 * 2 ** 20)).toContain(peakBytes);
  expect(checkpoints.length).toBeGreaterThanOrEqual(2);
  for (let step = 1; step < checkpoints.length; step++) {
    const [before, after] = [checkpoints[step - 1], checkpoints[step]];
    if (!before || !after) throw new Error('no checkpoint');
    const images = batchImages(step, batch, tiles.count, setting.seed);
    const features = await frozenFeatures(gpu, trained, setting, tiles, images);
    const { loss, gradients } = reference(before, features, new Tape());
    const stored = reference(before, features, new Tape(Math.fround)).gradients;
    expect(Math.abs((position.losses?.[step] ?? NaN) - loss)).toBeLessThan(1e-5 * Math.max(1, Math.abs(loss)));
    // What rounding alone does to the gradients: how far they move when every stored number is rounded to f32.
    const moved = [...gradients].map(([name, gradient]) => distance(gradient, stored.get(name) ?? []));
    const bound = roundings * Math.max(...moved);
    for (const [name, gradient] of gradients) {
      const parameter = values(before, name);
      const got = gradient.map(
        (_, index) => recover(before, after, name, index) - weightDecay * (parameter[index] ?? NaN),
      );
      expect(distance(gradient, got), `step ${step}, gradient of ${name}`).toBeLessThanOrEqual(bound);
    }
  }
}

describe('training steps against the f64 reference', () => {
  for (const kernels of ['3x3', 'alternating']) {
    it(`FastFlow, ${kernels}`, async () => {
      const trained = model(fastflow, { 'flow-steps': 2, steps: 12, kernels });
      await expectSteps(trained, 32, tinyBackbone([6, 4, 8]), 1e-5, adamGradient(0.9), (state, features, tape) =>
        fastflowLoss64(
          state,
          features,
          2,
          (layer, step) => permutation([6, 4, 8][Number(layer.slice(-1)) - 1] ?? 0, 7, `${layer}.step${step}`),
          (step) => (kernels === 'alternating' && step % 2 === 1 ? 1 : 3),
          tape,
        ),
      );
    });
  }

  it('STFPM', async () => {
    await expectSteps(
      model(stfpm, { steps: 12 }),
      32,
      tinyBackbone([4, 8, 16]),
      1e-4,
      sgdGradient,
      (state, features, tape) => stfpmLoss64(state, features, { bottleneck: false, blocks: [2, 2, 2] }, tape),
    );
  });

  for (const loss of ['pixel', 'image'] as const) {
    it(`Reverse Distillation, a cosine ${loss === 'pixel' ? 'a pixel' : 'an image'}`, async () => {
      await expectSteps(
        model(reverseDistillation, { steps: 12, loss }),
        64,
        tinyBackbone([4, 8, 16]),
        0,
        adamGradient(0.5),
        (state, features, tape) =>
          reverseDistillationLoss64(state, features, { bottleneck: false, blocks: [2, 2, 2] }, loss, tape),
      );
    });
  }

  it('Reverse Distillation with bottlenecks', async () => {
    await expectSteps(
      model(reverseDistillation, { steps: 12 }),
      64,
      tinyBackbone([4, 8, 16], 'resnet50'),
      0,
      adamGradient(0.5),
      (state, features, tape) =>
        reverseDistillationLoss64(state, features, { bottleneck: true, blocks: [3, 4, 6] }, 'pixel', tape),
    );
  });
});
