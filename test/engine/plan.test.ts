import { describe, expect, it } from 'vitest';
import { assumedAdapter, defaultLimits } from '../../src/engine/adapter.js';
import { Graph } from '../../src/engine/graph.js';
import { compile } from '../../src/engine/plan.js';
import { add, affine, relu } from '../../src/kernels/elementwise.js';

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
