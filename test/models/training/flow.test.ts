import { describe, expect, it } from 'vitest';
import { Graph } from '../../../src/engine/graph.js';
import { compile } from '../../../src/engine/plan.js';
import { Program } from '../../../src/engine/program.js';
import type { HostTensor } from '../../../src/engine/tensor.js';
import { appendFlow } from '../../../src/models/fastflow/flow.js';
import { declaringNetwork } from '../../../src/models/training/network.js';
import { permutation } from '../../../src/models/training/random.js';
import { randomTensor } from '../../kernels/harness.js';
import { testGpu } from '../../gpu.js';
import { Tape } from '../../reference/autodiff.js';
import { flow64 } from '../../reference/trained-models.js';
import { inverseFlow64, logDeterminant64 } from '../../reference/flow.js';

const steps = 3;
const kernel = (step: number): number => (step % 2 === 1 ? 1 : 3);

/** Runs a flow with random parameters on the device. */
async function runFlow(x: HostTensor): Promise<{
  z: Float32Array;
  logDeterminant: number;
  parameters: Map<string, HostTensor>;
}> {
  const gpu = await testGpu();
  const graph = new Graph('flow');
  const input = graph.input('x', x.shape);
  const { network, declared } = declaringNetwork(graph, true, 3);
  const options = { steps, hiddenRatio: 1, kernels: 'alternating' } as const;
  const { latent, logDeterminant } = appendFlow(network, input, 'flow', options);
  for (const output of [...latent, logDeterminant]) graph.output(output);
  const program = await Program.create(gpu, compile(graph, { adapter: gpu.profile }));
  const parameters = new Map<string, HostTensor>();
  let seed = 1;
  for (const [name, { tensor }] of declared) {
    const random = randomTensor(tensor.shape, (seed += 1), name.endsWith('weight') ? 3 : 1);
    const shifted = name.endsWith('gain') ? random.data.map((value) => value + 9) : random.data;
    parameters.set(name, { shape: tensor.shape, data: shifted });
    await program.pool.write(name, { shape: tensor.shape, data: shifted });
  }
  const results = await program.execute(new Map([[input, x.data]]));
  program.destroy();
  const halves = latent.map((half) => results.get(half) ?? new Float32Array());
  const channels = x.shape[3] ?? 0;
  const first = latent[0].shape[3] ?? 0;
  const z = Float32Array.from({ length: x.data.length }, (_, index) => {
    const [row, channel] = [Math.floor(index / channels), index % channels];
    const value =
      channel < first ? halves[0]?.[row * first + channel] : halves[1]?.[row * (channels - first) + channel - first];
    return value ?? NaN;
  });
  return { z, logDeterminant: results.get(logDeterminant)?.[0] ?? NaN, parameters };
}

describe('a flow', () => {
  for (const shape of [
    [1, 2, 2, 4],
    [1, 1, 3, 5],
  ]) {
    it(`of [${shape.join(', ')}] is undone by its inverse, and its determinant is that of its Jacobian`, async () => {
      const x = randomTensor(shape, 20);
      const { z, logDeterminant, parameters } = await runFlow(x);
      const channels = shape[3] ?? 0;
      const order = (step: number): number[] => permutation(channels, 3, `flow.step${step}`);
      const found = inverseFlow64({ shape, data: z }, parameters, 'flow', steps, order, kernel);
      const worst = Math.max(...found.data.map((value, index) => Math.abs(value - (x.data[index] ?? NaN))));
      expect(worst).toBeLessThan(1e-4);

      const forward = (data: ArrayLike<number>): Float64Array => {
        const tape = new Tape();
        const get = (name: string): ReturnType<Tape['variable']> =>
          tape.variable(parameters.get(`flow.${name}`) ?? { shape: [0], data: [] });
        return flow64(tape, get, tape.variable({ shape, data }), steps, order, kernel).z.data;
      };
      forward(x.data).forEach((value, index) => expect(z[index]).toBeCloseTo(value, 4));
      expect(logDeterminant).toBeCloseTo(logDeterminant64(forward, x.data), 4);
    });
  }
});
