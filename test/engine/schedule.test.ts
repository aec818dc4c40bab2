import { describe, expect, it } from 'vitest';
import { Graph, type Node, type Operator, type Tensor } from '../../src/engine/graph.js';
import { recomputeForward } from '../../src/engine/recompute.js';
import { hoistUpdates, interleaveBackward } from '../../src/engine/schedule.js';

const operator = (name: string): Operator<undefined> => ({ name, lower: () => undefined });
const apply = (graph: Graph, name: string, ...inputs: readonly Tensor[]): Tensor =>
  graph.apply(operator(name), inputs, undefined, [1000]);
const update = (graph: Graph, name: string, inputs: readonly Tensor[], updates: readonly Tensor[]): void => {
  graph.add(operator(name), inputs, undefined, [], updates);
};
const names = (nodes: readonly Node[]): string => nodes.map((node) => node.operator.name).join(' ');

describe('hoisting of updates', () => {
  it('moves an update up to what it depends on, and never past a reader', () => {
    const graph = new Graph('updates');
    const [w, v] = [graph.parameter('w', [1000]), graph.parameter('v', [1000])];
    const a = apply(graph, 'a', w);
    const gradient = apply(graph, 'gradient', a);
    const other = apply(graph, 'other', gradient, v);
    const view = graph.reshape(w, [10, 100]);
    graph.output(apply(graph, 'reader', other, view));
    graph.output(apply(graph, 'last', other));
    update(graph, 'update-w', [gradient, w], [w]);
    update(graph, 'update-v', [gradient, v], [v]);
    expect(names(hoistUpdates(graph.nodes))).toBe('a gradient other update-v reshape reader update-w last');
  });

  it('keeps two updates of one parameter in order', () => {
    const graph = new Graph('order');
    const state = graph.parameter('state', [1000]);
    const a = apply(graph, 'a');
    update(graph, 'first', [state], [state]);
    update(graph, 'second', [state, a], [state]);
    expect(names(hoistUpdates(graph.nodes))).toBe('first a second');
  });
});

describe('recomputation', () => {
  /** x → f0 → f1 → … → loss, whose backward pass reads every value from the last to the first. */
  function chain(length: number): { graph: Graph; weight: Tensor; forward: number } {
    const graph = new Graph('chain');
    const x = graph.input('x', [1000]);
    const weight = graph.parameter('weight', [1000]);
    const frozen = apply(graph, 'frozen', x);
    const values = [apply(graph, 'f0', frozen, weight)];
    for (let i = 1; i < length; i++) values.push(apply(graph, `f${i}`, values[i - 1] ?? x, weight));
    const loss = graph.output(apply(graph, 'loss', values[length - 1] ?? x));
    const forward = graph.nodes.length;
    let gradient = apply(graph, 'b-loss', loss);
    for (let i = length - 1; i >= 0; i--) gradient = apply(graph, `b${i}`, gradient, values[i] ?? x);
    update(graph, 'update', [gradient, weight, frozen], [weight]);
    return { graph, weight, forward };
  }

  it('repeats the inside of every segment but the last, before it is read, and nothing frozen', () => {
    const { graph, weight, forward } = chain(6);
    const made = recomputeForward(graph, graph.nodes, new Set(graph.nodes.slice(0, forward)), [weight], 3);
    expect(names(made.graph.nodes)).toBe('frozen f0 f1 f2 f3 f4 f5 loss b-loss b5 b4 b3 f2 b2 b1 f0 b0 update');
    expect(made.repeated).toBe(2);
    expect(made.graph.outputs).toEqual(graph.outputs);
  });

  it('leaves the graph as it is with one segment', () => {
    const { graph, weight, forward } = chain(4);
    const made = recomputeForward(graph, graph.nodes, new Set(graph.nodes.slice(0, forward)), [weight], 1);
    expect(names(made.graph.nodes)).toBe(names(graph.nodes));
    expect(made.repeated).toBe(0);
  });
});

describe('interleaving', () => {
  it('computes each part of a loss forward and backward before the next, and updates behind their readers', () => {
    const graph = new Graph('parts');
    const x = graph.input('x', [1000]);
    const [w, v, one] = ['w', 'v', 'one'].map((name) => graph.parameter(name, [1000]));
    if (!w || !v || !one) throw new Error('no parameters');
    const [a, b] = [apply(graph, 'a', x, w), apply(graph, 'b', x, v)];
    const [lossA, lossB] = [apply(graph, 'loss-a', a), apply(graph, 'loss-b', b)];
    graph.output(apply(graph, 'loss', lossA, lossB));
    const forward = graph.nodes.length;
    const spread = apply(graph, 'spread', one);
    const backB = apply(graph, 'back-b', b, spread);
    const backA = apply(graph, 'back-a', a, spread);
    update(graph, 'update-v', [backB, v], [v]);
    update(graph, 'update-w', [backA, w], [w]);
    expect(names(interleaveBackward(graph.nodes, forward))).toBe(
      'a b loss-a spread back-a update-w loss-b back-b update-v loss',
    );
  });
});
