import type { Graph, Tensor } from './graph.js';

/**
 * Reverse-mode differentiation, graph to graph: appends to `graph` the operators that compute the gradient of the
 * scalar `loss` with respect to each of `wanted`, by the rules that operators bring along.
 *
 * @param add appends the sum of two tensors of one shape; where a tensor is used twice its gradients are summed.
 * @returns one gradient for each wanted tensor, in order, of the same shape.
 * @throws when `loss` does not depend on a wanted tensor, or an operator on the way has no rule.
 */
export function gradients(
  graph: Graph,
  loss: Tensor,
  wanted: readonly Tensor[],
  add: (graph: Graph, a: Tensor, b: Tensor) => Tensor,
): Tensor[] {
  const forward = [...graph.nodes];
  const depends = new Set<Tensor>(wanted);
  for (const node of forward) {
    if (node.inputs.some((input) => depends.has(input))) for (const output of node.outputs) depends.add(output);
  }
  const one = graph.parameter(`${loss.name}.${loss.id}.one`, loss.shape, {
    owner: 'tables',
    contents: () => ({ shape: loss.shape, data: new Float32Array(loss.shape.reduce((a, b) => a * b, 1)).fill(1) }),
  });
  const gradient = new Map<Tensor, Tensor>([[loss, one]]);
  for (const node of forward.reverse()) {
    const incoming = node.outputs.map((output) => gradient.get(output));
    if (incoming.every((tensor) => tensor === undefined)) continue;
    if (!node.inputs.some((input) => depends.has(input))) continue;
    if (!node.operator.gradient) throw new Error(`the operator ${node.operator.name} has no gradient`);
    const known = incoming.map((tensor, index) => {
      if (tensor) return tensor;
      const output = node.outputs[index];
      if (!output) throw new Error(`${node.operator.name} has no output ${index}`);
      return graph.parameter(`${output.name}.${output.id}.zero`, output.shape, { owner: 'tables' });
    });
    node.operator.gradient(node, known, graph).forEach((contribution, index) => {
      const input = node.inputs[index];
      if (!contribution || !input || !depends.has(input)) return;
      const before = gradient.get(input);
      gradient.set(input, before ? add(graph, before, contribution) : contribution);
    });
  }
  return wanted.map((tensor) => {
    const found = gradient.get(tensor);
    if (!found) throw new Error(`the loss ${loss.name} does not depend on ${tensor.name}`);
    return found;
  });
}
