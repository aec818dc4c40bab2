import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpu } from '../../src/engine/gpu.js';
import { gradients } from '../../src/engine/gradients.js';
import { Graph, type Operator } from '../../src/engine/graph.js';
import { compile } from '../../src/engine/plan.js';
import { Profiler } from '../../src/engine/profiler.js';
import { floatToHalf, halfToFloat } from '../../src/engine/encoding.js';
import { ParameterPool, Program } from '../../src/engine/program.js';
import { add, affine, multiply, subtract } from '../../src/kernels/elementwise.js';
import { conv2d } from '../../src/kernels/conv2d/conv2d.js';
import { testGpu } from '../gpu.js';
import { randomTensor } from '../kernels/harness.js';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await testGpu();
});

function scaled(slots = 1): { graph: Graph; x: ReturnType<Graph['input']>; y: ReturnType<Graph['input']> } & {
  plan: ReturnType<typeof compile>;
} {
  const graph = new Graph('scaled');
  const x = graph.input('x', [5]);
  const weight = graph.parameter('weight', [5], {
    contents: () => ({ shape: [5], data: Float32Array.of(1, 2, 3, 4, 5) }),
  });
  const y = graph.output(affine(graph, multiply(graph, x, weight), 2, 1));
  return { graph, x, y, plan: compile(graph, { adapter: gpu.profile, slots }) };
}

describe('program', () => {
  it('allocates exactly what the plan says, and frees it', async () => {
    const before = gpu.memory.liveBytes;
    await gpu.upload((await warmWindow()).buffer, 0, new Uint8Array(4));
    const base = gpu.memory.liveBytes;
    const { plan } = scaled(2);
    const program = await Program.create(gpu, plan);
    expect(gpu.memory.liveBytes - base).toBe(plan.bytes.total);
    program.destroy();
    expect(gpu.memory.liveBytes).toBe(base);
    expect(base).toBeGreaterThanOrEqual(before);
  });

  it('keeps two slots apart', async () => {
    const { plan, x, y } = scaled(2);
    const program = await Program.create(gpu, plan);
    await program.write(0, x, Float32Array.of(1, 1, 1, 1, 1));
    program.run(0);
    await program.write(1, x, Float32Array.of(2, 2, 2, 2, 2));
    program.run(1);
    expect([...(await program.read(0, y))]).toEqual([3, 5, 7, 9, 11]);
    expect([...(await program.read(1, y))]).toEqual([5, 9, 13, 17, 21]);
    program.destroy();
  });

  it('allocates nothing and creates no bind group in steady state', async () => {
    const { plan, x, y } = scaled();
    const program = await Program.create(gpu, plan);
    const step = async (): Promise<void> => {
      await program.write(0, x, new Float32Array(5));
      program.run(0);
      await program.read(0, y);
    };
    await step();
    const before = { ...gpu.counters, allocations: gpu.memory.allocations };
    for (let i = 0; i < 20; i++) await step();
    expect(gpu.memory.allocations).toBe(before.allocations);
    expect(gpu.counters.bindGroups).toBe(before.bindGroups);
    expect(gpu.counters.pipelines).toBe(before.pipelines);
    expect(gpu.counters.submits).toBe(before.submits + 20);
    program.destroy();
  });

  it('runs other weights in the workspace of a program', async () => {
    const { plan, x, y } = scaled();
    const first = await Program.create(gpu, plan);
    const live = gpu.memory.liveBytes;
    const pool = new ParameterPool(gpu);
    const second = await Program.create(gpu, plan, { pool, workspace: first });
    await pool.write('weight', { shape: [5], data: Float32Array.of(0, 0, 0, 0, 1) });
    expect(gpu.memory.liveBytes - live).toBe(plan.bytes.parameters);
    await first.write(0, x, Float32Array.of(1, 1, 1, 1, 1));
    first.run(0);
    expect([...(await first.read(0, y))]).toEqual([3, 5, 7, 9, 11]);
    second.run(0, false);
    const result = new Float32Array(5);
    await gpu.download(second.deviceTensor(y).memory.buffer, 0, result);
    expect([...result]).toEqual([1, 1, 1, 1, 3]);
    second.destroy();
    pool.destroy();
    first.destroy();
  });

  it('uploads and downloads more than a window holds', async () => {
    const count = 1_500_003;
    const buffer = gpu.allocate(count * 4, 'test', 'large', 0x8c);
    const data = Float32Array.from({ length: count }, (_, i) => i);
    await gpu.upload(buffer.buffer, 0, data);
    const back = new Float32Array(count);
    await gpu.download(buffer.buffer, 0, back);
    // A plain loop: comparing millions of elements with an assertion takes half a minute.
    expect(back.findIndex((value, i) => value !== data[i])).toBe(-1);
    buffer.destroy();
  });

  it('throws a validation error where it happens, with the stage', async () => {
    const own = await testGpu();
    await expect(
      own.checked('bad kernel', () => own.pipeline({ name: 'bad', source: 'fn main() { let x: u32 = 1.5; }' })),
    ).rejects.toThrow(/kernel bad, line 1/);
  });

  it('measures kernels and stages', async () => {
    const { plan, x, y } = scaled();
    const profiler = new Profiler(gpu);
    const program = await Program.create(gpu, plan, { profiler });
    await program.write(0, x, new Float32Array(5));
    program.run(0);
    await program.read(0, y);
    const spans = await profiler.finish();
    if (gpu.profile.features.has('timestamp-query')) {
      expect(spans.map((span) => span.name)).toEqual(plan.steps.map((step) => step.kernel.name));
    }
    expect(spans.every((span) => span.duration >= 0)).toBe(true);
    program.destroy();
  });
});

describe('gradients', () => {
  it('sums over all uses of a tensor', async () => {
    const graph = new Graph('gradients');
    const x = graph.parameter('x', [1], { contents: () => ({ shape: [1], data: Float32Array.of(3) }) });
    // loss = x² − 2x + (x + x²)·1 = 2x² − x, so the derivative at 3 is 11.
    const square = multiply(graph, x, x);
    const loss = add(graph, subtract(graph, square, affine(graph, x, 2, 0)), add(graph, x, square));
    const [gradient] = gradients(graph, loss, [x], add);
    if (!gradient) throw new Error('no gradient');
    graph.output(gradient);
    const program = await Program.create(gpu, compile(graph, { adapter: gpu.profile }));
    expect((await program.execute(new Map())).get(gradient)?.[0]).toBe(11);
    program.destroy();
  });
});

describe('weights that are trained in place', () => {
  it('are convolved by variants that need no packing, also where they start from given values', async () => {
    const graph = new Graph('trained');
    const x = graph.parameter('x', [1, 32, 32, 64], { contents: () => randomTensor([1, 32, 32, 64], 1) });
    const weight = graph.parameter('w', [3, 3, 64, 64], { contents: () => randomTensor([3, 3, 64, 64], 2, 0.1) });
    const y = graph.output(conv2d(graph, x, weight, { padding: 1 }));
    const zero = graph.parameter('g', [3, 3, 64, 64]);
    const momentum = graph.parameter('m', [3, 3, 64, 64]);
    graph.add(touch, [weight, zero, momentum], undefined, [], [weight]);
    for (const forced of ['winograd4', 'subgroup-f16']) {
      const program = await Program.create(gpu, compile(graph, { adapter: gpu.profile, kernels: { conv2d: forced } }));
      expect((await program.execute(new Map())).get(y)?.every(Number.isFinite)).toBe(true);
      program.destroy();
    }
  });
});

/** Says that it updates its first input, and does nothing. */
const touch: Operator<undefined> = { name: 'touch', lower: () => undefined };

describe('half precision', () => {
  it('rounds to the nearest even and back', () => {
    for (const value of [0, 1, -2.5, 65504, 2 ** -14, 2 ** -24, 0.333251953125]) {
      expect(halfToFloat(floatToHalf(value))).toBe(value);
    }
    expect(halfToFloat(floatToHalf(1 + 2 ** -11))).toBe(1);
    expect(halfToFloat(floatToHalf(1 + 3 * 2 ** -11))).toBe(1 + 2 ** -9);
    expect(halfToFloat(floatToHalf(1e6))).toBe(Infinity);
    expect(halfToFloat(floatToHalf(NaN))).toBeNaN();
  });
});

let window: ReturnType<Gpu['allocate']> | undefined;
function warmWindow(): Promise<ReturnType<Gpu['allocate']>> {
  window ??= gpu.allocate(16, 'test', 'warm', 0x8c);
  return Promise.resolve(window);
}
afterAll(() => window?.destroy());
