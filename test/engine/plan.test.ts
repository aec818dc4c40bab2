import { describe, expect, it } from 'vitest';
import { assumedAdapter, defaultLimits } from '../../src/engine/adapter.js';
import { Graph } from '../../src/engine/graph.js';
import { compile } from '../../src/engine/plan.js';
import { byteLength } from '../../src/engine/tensor.js';
import { add, affine, relu } from '../../src/kernels/elementwise.js';
import { expand } from '../../src/kernels/expand.js';
import { reduce } from '../../src/kernels/reduce.js';

const options = { adapter: assumedAdapter };

describe('compile', () => {
  it('reuses buffers by liveness', () => {
    const graph = new Graph('chain');
    let value = graph.input('x', [1000]);
    for (let i = 0; i < 10; i++) value = affine(graph, value, 2, 1);
    graph.output(value);
    const plan = compile(graph, options);
    // Nine intermediate values take turns in two buffers; the last has its own as an output.
    expect(plan.buffers).toHaveLength(2);
    expect(plan.bytes.activations).toBe(2 * 4000);
    expect(plan.bytes.outputs).toBe(4000);
  });

  it('never lets two values that live together share memory', () => {
    const graph = new Graph('diamond');
    const x = graph.input('x', [64]);
    const a = affine(graph, x, 1, 1);
    const b = affine(graph, a, 1, 1);
    const c = affine(graph, b, 1, 1);
    graph.output(add(graph, add(graph, a, c), b));
    const plan = compile(graph, options);
    for (const { tensors } of plan.buffers) {
      const lives = tensors.map((tensor) => {
        const uses = plan.steps.flatMap((step, index) => (step.bindings.includes(tensor) ? [index] : []));
        return [Math.min(...uses), Math.max(...uses)] as const;
      });
      for (const [i, [first, last]] of lives.entries()) {
        for (const [otherFirst, otherLast] of lives.slice(i + 1))
          expect(otherLast < first || last < otherFirst).toBe(true);
      }
    }
  });

  it('lets values lie side by side where asked, those of one dispatch never in one buffer', () => {
    const graph = new Graph('ranges');
    const x = graph.input('x', [1000]);
    // A large value, then many small ones that live together: they fit into its place.
    const large = reduce(graph, affine(graph, expand(graph, x, [8000]), 2, 0), { operation: 'sum', over: 'all' });
    const small = Array.from({ length: 6 }, (_, index) => affine(graph, x, index, 1));
    const sum = small.reduce((total, value) => add(graph, total, value));
    graph.output(add(graph, reduce(graph, sum, { operation: 'sum', over: 'all' }), large));
    const [plain, plan] = [compile(graph, options), compile(graph, { ...options, layout: 'ranges' })];
    expect(plan.bytes.activations).toBeLessThan(plain.bytes.activations);
    for (const { bytes, tensors, offsets } of plan.buffers) {
      const places = tensors.map((tensor, index) => {
        const uses = plan.steps.flatMap((step, at) => (step.bindings.includes(tensor) ? [at] : []));
        const offset = offsets[index] ?? NaN;
        expect(offset % options.adapter.limits.minStorageBufferOffsetAlignment).toBe(0);
        expect(offset + byteLength(tensor.shape, tensor.dtype)).toBeLessThanOrEqual(bytes);
        return {
          first: Math.min(...uses),
          last: Math.max(...uses),
          offset,
          end: offset + byteLength(tensor.shape, 'f32'),
        };
      });
      for (const [i, a] of places.entries()) {
        for (const b of places.slice(i + 1)) {
          const together = a.first <= b.last && b.first <= a.last;
          expect(together && a.offset < b.end && b.offset < a.end).toBe(false);
        }
      }
      for (const step of plan.steps) {
        const written = step.bindings.at(-1);
        const bound = step.bindings.filter((binding) => tensors.some((tensor) => tensor === binding));
        if (written && bound.includes(written)) expect(new Set(bound).size).toBe(1);
      }
    }
  });

  it('leaves out what no output needs', () => {
    const graph = new Graph('dead');
    const x = graph.input('x', [4]);
    relu(graph, x);
    graph.output(affine(graph, x, 2, 0));
    expect(compile(graph, options).steps).toHaveLength(1);
  });

  it('gives reshapes for nothing', () => {
    const graph = new Graph('reshape');
    const x = graph.input('x', [2, 6]);
    const y = graph.reshape(affine(graph, x, 2, 0), [3, 4]);
    graph.output(affine(graph, y, 1, 1));
    const plan = compile(graph, options);
    expect(plan.steps).toHaveLength(2);
    expect(plan.buffers).toHaveLength(1);
    expect(() => graph.reshape(x, [5])).toThrow(/reshape x/);
  });

  it('refuses a binding over the limit in one helpful line', () => {
    const graph = new Graph('large');
    graph.output(relu(graph, graph.input('x', [1024])));
    const limits = { ...defaultLimits, maxStorageBufferBindingSize: 1024 };
    expect(() => compile(graph, { adapter: { ...assumedAdapter, limits } })).toThrow(
      /binds x with 4.00 KiB, the device binds at most 1.00 KiB: use a smaller tile or batch/,
    );
  });
});
