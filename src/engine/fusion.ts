import type { Graph, Node, Tensor } from './graph.js';

/**
 * Fuses chains: where a value has one consumer and the operator that makes it accepts that consumer into its own store
 * (batch norm, bias, activation, residual), the two nodes become one at the consumer's place.
 */
export function fuseNodes(graph: Graph): Node[] {
  const nodes = [...graph.nodes];
  const consumers = new Map<Tensor, number>();
  for (const node of nodes) {
    for (const input of node.inputs) consumers.set(input, (consumers.get(input) ?? 0) + 1);
  }
  const producer = new Map<Tensor, number>();
  const removed = new Set<number>();
  nodes.forEach((node, index) => {
    let current = node;
    // A node may take in several producers only one after the other; the first input that fuses wins.
    for (const input of node.inputs) {
      const at = producer.get(input);
      const made = at === undefined ? undefined : nodes[at];
      if (at === undefined || !made?.operator.fuse || made.outputs.length !== 1) continue;
      if (consumers.get(input) !== 1 || graph.outputs.includes(input) || node.updates.length > 0) continue;
      const fused = made.operator.fuse(made, node);
      if (!fused) continue;
      current = { ...fused, operator: made.operator, outputs: node.outputs, updates: made.updates };
      removed.add(at);
      break;
    }
    nodes[index] = current;
    for (const output of current.outputs) producer.set(output, index);
  });
  return nodes.filter((_, index) => !removed.has(index));
}
