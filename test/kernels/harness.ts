import { expect } from 'vitest';
import { compile, type PlanOptions } from '../../src/engine/plan.js';
import { Graph, type Tensor } from '../../src/engine/graph.js';
import type { Gpu } from '../../src/engine/gpu.js';
import { Program } from '../../src/engine/program.js';
import { elementCount, type HostTensor, type Shape } from '../../src/engine/tensor.js';

/** Reproducible numbers in (−1, 1), roughly normal-shaped when `spread` of them are averaged. */
export function randomTensor(shape: Shape, seed: number, scale = 1): HostTensor {
  let state = (seed * 2654435761 + 12345) >>> 0;
  const data = new Float32Array(elementCount(shape));
  for (let i = 0; i < data.length; i++) {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    data[i] = ((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * 2 - 1) * scale;
  }
  return { shape, data };
}

/** The tensor rounded to multiples of 2⁻⁸, which 16-bit floats hold exactly: storing them so changes nothing. */
export const half = (host: HostTensor): HostTensor => ({
  ...host,
  data: host.data.map((value) => Math.round(value * 256) / 256),
});

/**
 * Builds a graph of the given inputs (all as parameters, so that weights can be packed), compiles it with `options`,
 * runs it once and gives the outputs in the order in which `build` returns them.
 */
export async function runOperator(
  gpu: Gpu,
  inputs: readonly HostTensor[],
  build: (graph: Graph, tensors: readonly Tensor[]) => readonly Tensor[],
  options: Partial<PlanOptions> = {},
): Promise<HostTensor[]> {
  const graph = new Graph('test');
  const tensors = inputs.map((host, index) => graph.parameter(`input${index}`, host.shape, { contents: () => host }));
  const outputs = build(graph, tensors).map((tensor) => graph.output(tensor));
  const program = await Program.create(gpu, compile(graph, { adapter: gpu.profile, ...options }));
  try {
    const results = await program.execute(new Map());
    return outputs.map((tensor) => ({ shape: tensor.shape, data: results.get(tensor) ?? new Float32Array() }));
  } finally {
    program.destroy();
  }
}

/** A reference value with the error that its sum allows: `bound = c · terms · 2⁻²⁴ · Σ|aᵢbᵢ|`, element by element. */
export interface Reference {
  readonly values: Float64Array;
  readonly bounds: Float64Array;
}

/** Fails at the first element that is further from the reference than its bound. */
export function expectWithin(actual: Float32Array, reference: Reference): void {
  expect(actual.length).toBe(reference.values.length);
  for (let i = 0; i < actual.length; i++) {
    const error = Math.abs((actual[i] ?? NaN) - (reference.values[i] ?? NaN));
    if (!(error <= (reference.bounds[i] ?? 0))) {
      expect.fail(`element ${i}: got ${actual[i]}, want ${reference.values[i]} ± ${reference.bounds[i]}`);
    }
  }
}
