import { describe, expect, it } from 'vitest';
import { gradients } from '../../src/engine/gradients.js';
import { Graph, type Tensor } from '../../src/engine/graph.js';
import { elementCount, type HostTensor, type Shape } from '../../src/engine/tensor.js';
import * as elementwise from '../../src/kernels/elementwise.js';
import { testGpu } from '../gpu.js';
import { array64, build64, type Array64 } from '../reference/array64.js';
import naive from '../reference/elementwise-naive.wgsl';
import { unaryOperations } from '../reference/elementwise.js';
import { twin } from '../reference/twin.js';
import { only, testCases, type KernelCase } from './cases.js';
import { expectGradient } from './gradient-check.js';
import { expectWithin, randomTensor, runOperator } from './harness.js';

type Binary = (graph: Graph, left: Tensor, right: Tensor) => Tensor;
const { add, subtract, multiply, divide, scaleBy, channelScale, channelShift } = elementwise;
const combine = [
  (x: number, y: number) => x + y,
  (x: number, y: number) => x - y,
  (x: number, y: number) => x * y,
  (x: number, y: number) => x / y,
];
const binary: Record<string, { apply: Binary; number: number; right: (left: Shape) => Shape }> = {
  add: { apply: add, number: 0, right: (left) => left },
  subtract: { apply: subtract, number: 1, right: (left) => left },
  multiply: { apply: multiply, number: 2, right: (left) => left },
  divide: { apply: divide, number: 3, right: (left) => left },
  scaleBy: { apply: scaleBy, number: 2, right: () => [1] },
  channelScale: { apply: channelScale, number: 2, right: (left) => [left.at(-1) ?? 1] },
  channelShift: { apply: channelShift, number: 0, right: (left) => [left.at(-1) ?? 1] },
};

function combined(name: string, left: Array64, right: Array64): Array64 {
  const f = combine[binary[name]?.number ?? 0] ?? Math.max;
  return build64(left.shape, (i) => f(left.data[i] ?? NaN, right.data[i % right.data.length] ?? NaN));
}

/** Divisors stay away from 0. */
function operands(name: string, shape: Shape): [HostTensor, HostTensor] {
  const right = randomTensor(binary[name]?.right(shape) ?? [], 2);
  if (name === 'divide') right.data.forEach((value, index) => (right.data[index] = value + Math.sign(value)));
  return [randomTensor(shape, 1), right];
}

function combining(name: string, shape: Shape): KernelCase {
  const { apply, number } = binary[name] ?? { apply: add, number: 0 };
  const inputs = operands(name, shape);
  const values = combined(name, array64(inputs[0]), array64(inputs[1]));
  const period = elementCount(inputs[1].shape);
  return {
    name: `${name} of [${shape.join(', ')}]`,
    inputs,
    kernel: (graph, [left, right]) => apply(graph, left ?? only([]), right ?? only([])),
    twin: (graph, tensors) => twin(graph, name, naive, tensors, { period, operation: number }, shape),
    // One rounding; WGSL allows division 2.5 ulp.
    reference: { values: values.data, bounds: values.data.map((value) => 2.5 * 2 ** -23 * Math.abs(value) + 1e-37) },
    shape,
  };
}

const unary: Record<string, { apply: (graph: Graph, x: Tensor) => Tensor; a?: number; inputs: number[] }> = {
  relu: { apply: elementwise.relu, inputs: [-2, -1e-30, 0, 1e-30, 3] },
  relu6: { apply: elementwise.relu6, inputs: [-2, 0, 1e-30, 5.9, 6, 7] },
  tanh: { apply: elementwise.tanh, inputs: [-200, -20, -3, -0.1, -1e-4, 0, 1e-4, 0.5, 2, 9, 100] },
  exp: { apply: elementwise.exp, inputs: [-80, -5, -0.1, 0, 1, 20] },
  log: { apply: elementwise.log, inputs: [1e-30, 0.1, 0.9, 1, 1.5, 1e20] },
  softplus: { apply: (graph, x) => elementwise.softplus(graph, x, 0.5), a: 0.5, inputs: [-300, -8, 0, 3, 70, 1000] },
  sigmoid: { apply: elementwise.sigmoid, inputs: [-300, -90, -9, 0, 0.3, 20, 300] },
  sqrt: { apply: elementwise.sqrt, inputs: [1e-20, 0.25, 2, 1e20] },
  square: { apply: elementwise.square, inputs: [-3, 0, 1e-10, 7] },
  abs: { apply: elementwise.abs, inputs: [-3, 0, 5] },
  clampMin: { apply: (graph, x) => elementwise.clampMin(graph, x, 0.25), a: 0.25, inputs: [-1, 0.25, 0.3] },
};

describe('elementwise', () => {
  testCases(
    Object.keys(binary).flatMap((name) =>
      [[1], [2, 3, 5, 7], [3, 5, 8], [3, 7, 12], [127, 1]].map((shape) => combining(name, shape)),
    ),
  );

  it('of one operand, with gradients', async () => {
    const gpu = await testGpu();
    const names = Object.keys(unary);
    const hosts = names.map((name): HostTensor => {
      const values = unary[name]?.inputs ?? [];
      return { shape: [values.length], data: Float32Array.from(values) };
    });
    const results = await runOperator(gpu, hosts, (graph, tensors) =>
      tensors.flatMap((tensor, index) => {
        const output = unary[names[index] ?? '']?.apply(graph, tensor) ?? tensor;
        // Ones come in for every output, so each gradient is the derivative.
        return [output, ...gradients(graph, output, [tensor], add)];
      }),
    );
    names.forEach((name, index) => {
      const { f, derivative } = unaryOperations[name] ?? { f: Number.NaN, derivative: Number.NaN };
      if (typeof f === 'number' || typeof derivative === 'number') throw new Error(`no reference of ${name}`);
      const inputs = Float64Array.from(hosts[index]?.data ?? []);
      const check = (actual: HostTensor | undefined, expected: (x: number, a: number) => number): void => {
        const values = inputs.map((x) => expected(x, unary[name]?.a ?? 0));
        // What WGSL allows of exp: 3 + 2 |x| ulp; the absolute term is that of log and tanh near 0.
        const bounds = inputs.map(
          (x, i) => (3 + 2 * Math.min(90, Math.abs(x))) * 2 ** -23 * Math.abs(values[i] ?? 0) + 2 ** -21,
        );
        expectWithin(actual?.data ?? new Float32Array(), { values, bounds });
      };
      check(results[2 * index], f);
      check(results[2 * index + 1], derivative);
    });
  });

  it('gradients of two operands, broadcast ones summed', async () => {
    const gpu = await testGpu();
    for (const name of Object.keys(binary)) {
      await expectGradient(
        gpu,
        operands(name, [2, 3, 5]),
        (graph, [left, right]) => binary[name]?.apply(graph, left ?? only([]), right ?? only([])) ?? only([]),
        ([left, right]) => combined(name, left ?? build64([], () => 0), right ?? build64([], () => 0)),
      );
    }
  });

  it('gradient of a tensor that is used twice', async () => {
    const gpu = await testGpu();
    const host = randomTensor([7], 1);
    await expectGradient(
      gpu,
      [host],
      (graph, inputs) => {
        const x = only(inputs);
        return multiply(
          graph,
          elementwise.affine(graph, x, 3, -1),
          elementwise.negate(graph, elementwise.square(graph, x)),
        );
      },
      ([x]) => build64([7], (i) => -(3 * (x?.data[i] ?? NaN) - 1) * (x?.data[i] ?? NaN) ** 2),
    );
  });

  it('refuses shapes that do not meet', () => {
    const graph = new Graph('test');
    const [a, b] = [graph.input('a', [2, 3]), graph.input('b', [2])];
    expect(() => add(graph, a, b)).toThrow(/shapes \[2, 3\] and \[2\] differ/);
    expect(() => scaleBy(graph, a, b)).toThrow(/wants one number, b has 2/);
    expect(() => channelScale(graph, a, b)).toThrow(/each of 3 channels, b has 2/);
  });
});
