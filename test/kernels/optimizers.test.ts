import { describe, expect, it } from 'vitest';
import { Graph } from '../../src/engine/graph.js';
import { compile } from '../../src/engine/plan.js';
import { Program } from '../../src/engine/program.js';
import {
  advanceOptimizer,
  optimizerStates,
  updateParameter,
  type OptimizerOptions,
} from '../../src/kernels/optimizers/optimizers.js';
import type { HostTensor } from '../../src/engine/tensor.js';
import { testGpu } from '../gpu.js';
import naive from '../reference/optimizer-naive.wgsl';
import { twin } from '../reference/twin.js';
import { randomTensor, runOperator } from './harness.js';

/** One parameter and its gradient as an input; gives the parameter after every step, and the marks of the last. */
async function run(
  options: OptimizerOptions,
  gradients: readonly Float32Array[],
  rate: number,
): Promise<{ start: Float32Array; after: Float32Array[]; marks: number[] }> {
  const gpu = await testGpu();
  const graph = new Graph('optimizer');
  const size = gradients[0]?.length ?? 0;
  const start = randomTensor([size], 1);
  const parameter = graph.parameter('parameter', [size], { contents: () => start });
  const gradient = graph.input('gradient', [size]);
  const step = {
    rate: graph.input('rate', [1]),
    state: graph.parameter('state', [3]),
    marks: graph.parameter('marks', [2], { dtype: 'u32' }),
  };
  advanceOptimizer(graph, step, options);
  const states = Array.from({ length: optimizerStates(options) }, (_, i) => graph.parameter(`state${i}`, [size]));
  updateParameter(graph, parameter, gradient, states, step, options, 1);
  const program = await Program.create(gpu, compile(graph, { adapter: gpu.profile }));
  const after: Float32Array[] = [];
  for (const data of gradients) {
    await program.execute(
      new Map([
        [gradient, data],
        [step.rate, Float32Array.of(rate)],
      ]),
    );
    after.push((await program.pool.read('parameter')).data);
  }
  const marks = [...(await program.pool.read('marks')).data];
  program.destroy();
  return { start: start.data, after, marks };
}

function twinParameters(options: OptimizerOptions, part: number, step: number): Record<string, number> {
  const adam = options.kind === 'adam';
  const [beta1, beta2] = adam ? options.betas : [options.momentum, 0];
  const epsilon = adam ? options.epsilon : 0;
  return { part, adam: adam ? 1 : 0, step, rate: 0.01, beta1, beta2, epsilon, weight_decay: options.weightDecay };
}

describe('optimisers', () => {
  const gradients = Array.from({ length: 5 }, (_, step) => randomTensor([7], 10 + step).data);

  it('Adam takes the steps of its definition', async () => {
    const { start, after } = await run(
      { kind: 'adam', betas: [0.5, 0.999], epsilon: 1e-8, weightDecay: 0.01 },
      gradients,
      0.01,
    );
    for (let i = 0; i < start.length; i++) {
      let [value, m, v] = [start[i] ?? NaN, 0, 0];
      gradients.forEach((gradient, index) => {
        const g = (gradient[i] ?? NaN) + 0.01 * value;
        m = 0.5 * m + 0.5 * g;
        v = 0.999 * v + 0.001 * g * g;
        const t = index + 1;
        value -= (0.01 * (m / (1 - 0.5 ** t))) / (Math.sqrt(v / (1 - 0.999 ** t)) + 1e-8);
        expect(after[index]?.[i]).toBeCloseTo(value, 6);
      });
    }
  });

  it('gradient descent with momentum takes the steps of its definition', async () => {
    const { start, after } = await run({ kind: 'sgd', momentum: 0.9, weightDecay: 0.1 }, gradients, 0.05);
    for (let i = 0; i < start.length; i++) {
      let [value, velocity] = [start[i] ?? NaN, 0];
      gradients.forEach((gradient, index) => {
        const g = (gradient[i] ?? NaN) + 0.1 * value;
        velocity = index === 0 ? g : 0.9 * velocity + g;
        value -= 0.05 * velocity;
        expect(after[index]?.[i]).toBeCloseTo(value, 6);
      });
    }
  });

  for (const options of [
    { kind: 'adam', betas: [0.5, 0.999], epsilon: 1e-8, weightDecay: 0.01 },
    { kind: 'sgd', momentum: 0.9, weightDecay: 0.1 },
  ] as const) {
    it(`${options.kind} and its naïve twin take the same steps, of 1, 7 and 1027 elements`, async () => {
      const gpu = await testGpu();
      for (const size of [1, 7, 1027]) {
        const steps = Array.from({ length: 4 }, (_, step) => randomTensor([size], 20 + step).data);
        const { start, after } = await run(options, steps, 0.01);
        const zeros = { shape: [size], data: new Float32Array(size) };
        let state: HostTensor[] = [{ shape: [size], data: start }, zeros, zeros];
        for (const [index, data] of steps.entries()) {
          const [parameter, ...states] = state;
          state = await runOperator(gpu, [parameter ?? zeros, { shape: [size], data }, ...states], (graph, tensors) =>
            [0, 1, 2].map((part) =>
              twin(graph, 'optimizer', naive, tensors, twinParameters(options, part, index + 1), [size]),
            ),
          );
          const wanted = state[0]?.data ?? [];
          after[index]?.forEach((value, i) => {
            // Every step rounds the parameter once and what it moves by a few times.
            const bound = (index + 1) * (2 ** -23 * Math.abs(wanted[i] ?? NaN) + 2 ** -19 * 0.02);
            expect(Math.abs(value - (wanted[i] ?? NaN))).toBeLessThanOrEqual(bound);
          });
        }
      }
    });
  }

  it('mark the tensor whose gradient is not finite, for that step alone', async () => {
    const bad = Float32Array.of(0, 0, 0, 0, 0, 0, NaN);
    const options: OptimizerOptions = { kind: 'sgd', momentum: 0, weightDecay: 0 };
    expect((await run(options, [bad], 0.1)).marks).toEqual([0, 1]);
    expect((await run(options, [bad, new Float32Array(7)], 0.1)).marks).toEqual([0, 0]);
  });
});
