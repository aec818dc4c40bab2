import type { HostTensor, NamedTensors, Shape } from '../../src/engine/tensor.js';
import { build64, type Array64 } from './array64.js';
import { convolution64 } from './convolution.js';

const range = (first: number, end: number): number[] => Array.from({ length: end - first }, (_, i) => first + i);

function channelsOf(x: Array64, picks: readonly number[]): Array64 {
  const width = x.shape.at(-1) ?? 1;
  return build64(x.shape.with(-1, picks.length), (i) => {
    return x.data[Math.floor(i / picks.length) * width + (picks[i % picks.length] ?? 0)] ?? NaN;
  });
}

/** x from z, by undoing a flow's steps one after the other, written from the formulas. */
export function inverseFlow64(
  z: { readonly shape: Shape; readonly data: ArrayLike<number> },
  parameters: NamedTensors,
  name: string,
  steps: number,
  order: (step: number) => readonly number[],
  kernel: (step: number) => number,
): Array64 {
  let x: Array64 = { shape: z.shape, data: Float64Array.from(z.data) };
  const channels = z.shape.at(-1) ?? 1;
  const second = channels >> 1;
  const first = channels - second;
  for (let step = steps - 1; step >= 0; step--) {
    const get = (part: string): Array64 => {
      const tensor: HostTensor | undefined = parameters.get(`${name}.step${step}.${part}`);
      if (!tensor) throw new Error(`no ${part}`);
      return { shape: tensor.shape, data: Float64Array.from(tensor.data) };
    };
    const inverse = range(0, channels).map((channel) => order(step).indexOf(channel));
    const mixed = channelsOf(x, inverse);
    const [gain, shift] = [get('gain'), get('shift')];
    const whole = build64(mixed.shape, (i) => {
      const scale = 0.2 * Math.log(1 + Math.exp(0.5 * (gain.data[i % channels] ?? NaN)));
      return ((mixed.data[i] ?? NaN) - (shift.data[i % channels] ?? NaN)) / scale;
    });
    const known = channelsOf(whole, range(0, first));
    const padding = (kernel(step) - 1) / 2;
    const layer = (input: Array64, part: string, activate: boolean): Array64 => {
      const sum = convolution64(input, get(`${part}.weight`), { padding });
      const bias = get(`${part}.bias`).data;
      return build64(sum.shape, (i) => {
        const value = (sum.data[i] ?? NaN) + (bias[i % bias.length] ?? NaN);
        return activate ? Math.max(0, value) : value;
      });
    };
    const said = layer(layer(known, 'conv1', true), 'conv2', false);
    x = build64(whole.shape, (i) => {
      const [row, channel] = [Math.floor(i / channels), i % channels];
      const value = whole.data[i] ?? NaN;
      if (channel < first) return value;
      const at = row * 2 * second + channel - first;
      return (value - 0.1 * (said.data[at + second] ?? NaN)) / Math.exp(2 * Math.tanh(0.1 * (said.data[at] ?? NaN)));
    });
  }
  return x;
}

/** Logarithm of the absolute determinant of a function's Jacobian, by central differences and elimination. */
export function logDeterminant64(f: (x: Float64Array) => Float64Array, x: ArrayLike<number>): number {
  const size = x.length;
  const step = 1e-5;
  const columns = range(0, size).map((column) => {
    const moved = (by: number): Float64Array =>
      f(Float64Array.from(x, (value, i) => (i === column ? value + by : value)));
    const [ahead, behind] = [moved(step), moved(-step)];
    return ahead.map((value, i) => (value - (behind[i] ?? NaN)) / (2 * step));
  });
  let logarithm = 0;
  for (let pivot = 0; pivot < size; pivot++) {
    const best = range(pivot, size).reduce((a, b) =>
      Math.abs(columns[b]?.[pivot] ?? 0) > Math.abs(columns[a]?.[pivot] ?? 0) ? b : a,
    );
    const [chosen, other] = [columns[best], columns[pivot]];
    if (!chosen || !other) throw new Error('no column');
    columns[best] = other;
    columns[pivot] = chosen;
    logarithm += Math.log(Math.abs(chosen[pivot] ?? 0));
    for (const column of columns.slice(pivot + 1)) {
      const factor = (column[pivot] ?? 0) / (chosen[pivot] ?? NaN);
      chosen.forEach((value, i) => (column[i] = (column[i] ?? 0) - factor * value));
    }
  }
  return logarithm;
}
