import { describe, expect, it } from 'vitest';
import { assumedAdapter } from '../../../src/engine/adapter.js';
import type { NamedTensors } from '../../../src/engine/tensor.js';
import type { AnomalyModel, ModelSetting } from '../../../src/models/anomaly-model.js';
import { createBackbone } from '../../../src/models/backbones/index.js';
import { completeOptions } from '../../../src/models/definition.js';
import { fastflow } from '../../../src/models/fastflow.js';
import { stfpm } from '../../../src/models/stfpm.js';
import { reverseDistillation } from '../../../src/models/reverse-distillation.js';
import { batchImages } from '../../../src/models/training/batches.js';
import { learningRateAt, readTrainingOptions, stopsEarly, totalSteps } from '../../../src/models/training/options.js';
import { planPredictor } from '../../../src/models/predictor.js';
import { testGpu } from '../../gpu.js';
import { fit, noiseTiles, tinyBackbone, tinySetting } from './tiny.js';

const flow = (options: Record<string, number | string>): AnomalyModel =>
  fastflow.create(completeOptions(fastflow, { 'flow-steps': 2, 'checkpoint-steps': 0, ...options }));

const backbone = tinyBackbone([6, 4, 8]);

function expectSameBytes(a: NamedTensors, b: NamedTensors): void {
  expect([...a.keys()]).toEqual([...b.keys()]);
  for (const [name, tensor] of a) expect(b.get(name)?.data, name).toEqual(tensor.data);
}

describe('training of a position', () => {
  for (const definition of [fastflow, stfpm, reverseDistillation]) {
    it(`${definition.name} gives the same bytes again, from position to position and after a resume`, async () => {
      const gpu = await testGpu();
      const options = { steps: 6, 'checkpoint-steps': 2, ...(definition === fastflow && { 'flow-steps': 2 }) };
      const model = definition.create(completeOptions(definition, options));
      const setting = tinySetting(gpu, tinyBackbone([4, 8, 16]), 32, 2);
      const whole = await fit(gpu, model, setting);
      const again = await fit(gpu, model, setting);
      expectSameBytes(whole.position.parameters, again.position.parameters);
      expect(whole.position.losses).toHaveLength(6);
      expect(whole.checkpoints).toHaveLength(2);
      for (const saved of whole.checkpoints) {
        const resumed = await fit(gpu, model, setting, {
          checkpoint: { load: () => Promise.resolve(saved), save: () => Promise.resolve() },
        });
        expectSameBytes(whole.position.parameters, resumed.position.parameters);
        expect(resumed.position.losses).toEqual(whole.position.losses);
      }
    });
  }

  it('allocates nothing and creates no bind group from step to step', async () => {
    const gpu = await testGpu();
    const seen: { allocations: number; bindGroups: number; submits: number }[] = [];
    await fit(gpu, flow({ steps: 8 }), tinySetting(gpu, backbone, 32, 2), {
      onProgress: () => seen.push({ allocations: gpu.memory.allocations, ...gpu.counters }),
    });
    const [first, last] = [seen[1], seen[6]];
    expect(last?.allocations).toBe(first?.allocations);
    expect(last?.bindGroups).toBe(first?.bindGroups);
    expect((last?.submits ?? 0) - (first?.submits ?? 0)).toBe(5);
  });

  it('stops at a value that is not finite, and names step, tensor and images', async () => {
    const gpu = await testGpu();
    const model = flow({ steps: 9, 'learning-rate': 1e20 });
    await expect(fit(gpu, model, tinySetting(gpu, backbone, 32, 2))).rejects.toMatchObject({
      kind: 'numbers',
      message: expect.stringMatching(
        /^fastflow, step [2-9]: .*not finite \(images image\d.png, image\d.png\): lower --fastflow.learning-rate/,
      ) as string,
    });
  });

  it('stops when the held-out loss no longer falls', async () => {
    const gpu = await testGpu();
    const options = { steps: 40, 'learning-rate': 0, 'stop-steps': 3, patience: 2, stop: 'held-out' };
    const model = flow(options);
    const setting = tinySetting(gpu, backbone, 32, 2);
    const planned = model.planFit(setting).peakBytes;
    expect(model.usesHeldOut).toBe(true);
    const { position, peakBytes } = await fit(gpu, model, setting, { heldOut: noiseTiles(3, 32, 90) });
    expect(position.losses).toHaveLength(9);
    expect(position.notes?.join()).toMatch(/ended early after 9 of 40 steps/);
    expect(peakBytes).toBe(planned);
    await expect(fit(gpu, model, setting)).rejects.toThrow(/no good image is held out/);
  });

  it('can be stopped by its signal', async () => {
    const gpu = await testGpu();
    const controller = new AbortController();
    const running = fit(gpu, flow({ steps: 50 }), tinySetting(gpu, backbone, 32, 2), {
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(running).rejects.toThrow(/abort/i);
  });
});

describe('training within a budget', () => {
  for (const kind of ['hardware', 'lavapipe'] as const) {
    for (const definition of [fastflow, reverseDistillation, stfpm]) {
      it(`takes 60 % of the bytes for ${definition.name} with the batch of the paper (${kind})`, () => {
        const setting: ModelSetting = {
          backbone: createBackbone('resnet18', undefined),
          tile: { height: 256, width: 256 },
          batch: 32,
          seed: 1,
          adapter: { ...assumedAdapter, class: kind },
          budgetBytes: Infinity,
          trainingImages: 209,
        };
        const model = definition.create(completeOptions(definition, {}));
        const budgetBytes = 0.6 * model.planFit(setting).peakBytes;
        const planned = model.planFit({ ...setting, budgetBytes });
        expect(planned.peakBytes).toBeLessThanOrEqual(budgetBytes);
        expect(planned.notes.join()).toMatch(/share buffers|computed again in \d+ segments/);
      });
    }
  }

  for (const [definition, channels] of [
    [fastflow, [8, 8, 8]],
    [stfpm, [4, 8, 16]],
    [reverseDistillation, [4, 8, 16]],
  ] as const) {
    it(`${definition.name} computes activations again and learns the same`, async () => {
      const gpu = await testGpu();
      const model = definition.create(completeOptions(definition, { steps: 3, 'checkpoint-steps': 0 }));
      const setting = tinySetting(gpu, tinyBackbone(channels), 64, 4);
      // No budget is small enough: the fewest bytes that can be had.
      const tight = { ...setting, budgetBytes: 1 };
      const planned = model.planFit(tight);
      expect(planned.peakBytes).toBeLessThan(model.planFit(setting).peakBytes);
      expect(planned.notes.join()).toMatch(/computed again in \d+ segments/);
      const before = await fit(gpu, model, setting);
      const after = await fit(gpu, model, tight);
      expect(after.peakBytes).toBe(planned.peakBytes);
      before.position.losses?.forEach((loss, step) => {
        expect(Math.abs((after.position.losses?.[step] ?? NaN) - loss)).toBeLessThan(1e-5 * Math.abs(loss));
      });
    });
  }
});

describe('options of training', () => {
  const options = readTrainingOptions(completeOptions(fastflow, { schedule: 'cosine', steps: 0, epochs: 3 }));

  it('count steps or epochs, and lower the learning rate', () => {
    expect(totalSteps(options, 10, 4)).toBe(8);
    expect(totalSteps({ ...options, steps: 17 }, 10, 4)).toBe(17);
    expect(learningRateAt(options, 0, 8)).toBeCloseTo(1e-3);
    expect(learningRateAt(options, 4, 8)).toBeCloseTo(5e-4);
    expect(learningRateAt({ ...options, schedule: 'constant' }, 7, 8)).toBe(1e-3);
  });

  it('end training when the last looks bring nothing new', () => {
    expect(stopsEarly([3, 2, 1], 2)).toBe(false);
    expect(stopsEarly([3, 1, 2, 1], 2)).toBe(true);
    expect(stopsEarly([3, 1, 2, 0.9], 2)).toBe(false);
    expect(stopsEarly([1, 1], 2)).toBe(false);
  });

  it('go through all images once an epoch, in an order of its own each time', () => {
    const seen = Array.from({ length: 7 }, (_, step) => batchImages(step, 3, 7, 5)).flat();
    const epochs = [0, 7, 14].map((first) => seen.slice(first, first + 7));
    for (const epoch of epochs) expect([...epoch].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(epochs[0]).not.toEqual(epochs[1]);
    expect(batchImages(4, 3, 7, 5)).toEqual(seen.slice(12, 15));
  });

  it('refuse what a model cannot do, in one line', async () => {
    const gpu = await testGpu();
    const mobile = tinySetting(gpu, tinyBackbone([6, 4, 8], 'mobilenet-v2'), 32, 2);
    for (const definition of [stfpm, reverseDistillation]) {
      const model = definition.create(completeOptions(definition, {}));
      expect(() => model.planFit(mobile)).toThrow(/mobilenet-v2: use --backbone resnet18 or resnet50/);
    }
    const odd = tinySetting(gpu, tinyBackbone([4, 8, 16]), 48, 2);
    const model = reverseDistillation.create(completeOptions(reverseDistillation, {}));
    expect(() => model.planFit(odd)).toThrow(/multiple of 32/);
  });

  it('fit the head of the predictor', async () => {
    const gpu = await testGpu();
    const setting = tinySetting(gpu, tinyBackbone([4, 8, 16]), 64, 2);
    for (const definition of [fastflow, stfpm, reverseDistillation]) {
      const model = definition.create(completeOptions(definition, {}));
      const { head } = planPredictor(model, setting);
      const shapes = model.parameterShapes(setting);
      const named = head.parameters.filter((tensor) => tensor.owner === 'position').map((tensor) => tensor.name);
      expect(new Set(named)).toEqual(new Set(shapes.keys()));
    }
  });
});
