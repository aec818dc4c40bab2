import { describe, expect, it } from 'vitest';
import { affineCoupling, mixChannels } from '../../src/kernels/coupling/coupling.js';
import { concat } from '../../src/kernels/concat.js';
import { testGpu } from '../gpu.js';
import { array64, build64, type Array64 } from '../reference/array64.js';
import { expectGradient } from './gradient-check.js';
import { expectWithin, randomTensor, runOperator } from './harness.js';

const at = <T>(values: readonly T[], index: number): T => {
  const value = values[index];
  if (value === undefined) throw new Error(`no value ${index}`);
  return value;
};

/** y and s of the coupling, side by side along the channels. */
function coupling64(x: Array64, network: Array64): Array64 {
  const channels = x.shape.at(-1) ?? 1;
  return build64([...x.shape.slice(0, -1), 2 * channels], (index) => {
    const row = Math.floor(index / (2 * channels));
    const channel = index % channels;
    const s = 2 * Math.tanh(0.1 * (network.data[row * 2 * channels + channel] ?? NaN));
    if (index % (2 * channels) >= channels) return s;
    const shift = 0.1 * (network.data[row * 2 * channels + channels + channel] ?? NaN);
    return (x.data[row * channels + channel] ?? NaN) * Math.exp(s) + shift;
  });
}

function mix64(parts: readonly [Array64, Array64], scale: Array64, shift: Array64, order: readonly number[]): Array64 {
  const [a, b] = parts.map((part) => part.shape.at(-1) ?? 0);
  const rows = parts[0].data.length / (a ?? 1);
  return build64([rows, order.length], (index) => {
    const row = Math.floor(index / order.length);
    const from = order[index % order.length] ?? 0;
    const value =
      from < (a ?? 0) ? parts[0].data[row * (a ?? 0) + from] : parts[1].data[row * (b ?? 0) + from - (a ?? 0)];
    return (value ?? NaN) * (scale.data[from] ?? NaN) + (shift.data[from] ?? NaN);
  });
}

describe('affine coupling', () => {
  for (const channels of [3, 8]) {
    it(`of ${channels} channels`, async () => {
      const gpu = await testGpu();
      const inputs = [randomTensor([2, 3, channels], 1), randomTensor([2, 3, 2 * channels], 2, 20)];
      const reference = (given: readonly Array64[]): Array64 => coupling64(at(given, 0), at(given, 1));
      const [result] = await runOperator(gpu, inputs, (graph, tensors) => {
        const { y, s } = affineCoupling(graph, at(tensors, 0), at(tensors, 1));
        return [concat(graph, [y, s])];
      });
      const values = reference(inputs.map(array64));
      expectWithin(result?.data ?? new Float32Array(), {
        values: values.data,
        bounds: values.data.map((value) => 2 ** -20 * Math.max(1, Math.abs(value))),
      });
      await expectGradient(
        gpu,
        inputs,
        (graph, tensors) => {
          const { y, s } = affineCoupling(graph, at(tensors, 0), at(tensors, 1));
          return concat(graph, [y, s]);
        },
        reference,
      );
    });
  }
});

describe('mixing of channels', () => {
  for (const [first, second] of [
    [3, 2],
    [4, 4],
  ] as const) {
    it(`of ${first} and ${second} channels`, async () => {
      const gpu = await testGpu();
      const total = first + second;
      const order = Array.from({ length: total }, (_, i) => (i * (total - 1) + 1) % total);
      expect(new Set(order).size).toBe(total);
      const inputs = [
        randomTensor([70, first], 1),
        randomTensor([70, second], 2),
        randomTensor([total], 3),
        randomTensor([total], 4),
      ];
      await expectGradient(
        gpu,
        inputs,
        (graph, tensors) =>
          concat(graph, mixChannels(graph, [at(tensors, 0), at(tensors, 1)], at(tensors, 2), at(tensors, 3), order)),
        (given) => mix64([at(given, 0), at(given, 1)], at(given, 2), at(given, 3), order),
      );
      const [result] = await runOperator(gpu, inputs, (graph, tensors) => [
        concat(graph, mixChannels(graph, [at(tensors, 0), at(tensors, 1)], at(tensors, 2), at(tensors, 3), order)),
      ]);
      const given = inputs.map(array64);
      const values = mix64([at(given, 0), at(given, 1)], at(given, 2), at(given, 3), order);
      expectWithin(result?.data ?? new Float32Array(), {
        values: values.data,
        bounds: values.data.map((value) => 2 ** -22 * (Math.abs(value) + 2)),
      });
    });
  }
});
