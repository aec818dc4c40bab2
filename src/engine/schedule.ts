import { storage, type Node, type Tensor } from './graph.js';

/**
 * Moves nodes that only update parameters (optimiser steps, running statistics) up to right behind the last node they
 * depend on, so that what they read (gradients) need not be kept until the end. The results stay the same: an update
 * never passes a node that makes its inputs, reads what it updates or updates what it reads.
 */
export function hoistUpdates(nodes: readonly Node[]): Node[] {
  const order: Node[] = [];
  for (const node of nodes) {
    let place = order.length;
    if (node.updates.length > 0 && node.outputs.length === 0) {
      const reads = new Set(node.inputs.map(storage));
      const writes = new Set(node.updates.map(storage));
      while (place > 0 && !holdsBack(order[place - 1], reads, writes)) place -= 1;
    }
    order.splice(place, 0, node);
  }
  return order;
}

function holdsBack(earlier: Node | undefined, reads: ReadonlySet<Tensor>, writes: ReadonlySet<Tensor>): boolean {
  if (!earlier) return true;
  return (
    earlier.outputs.some((output) => reads.has(storage(output))) ||
    earlier.updates.some((update) => reads.has(storage(update)) || writes.has(storage(update))) ||
    earlier.inputs.some((input) => writes.has(storage(input)))
  );
}
