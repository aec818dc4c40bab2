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

/**
 * Moves the backward computation of every part of a loss to right behind what it depends on, so that where a loss is a
 * sum of parts that share no values, each is computed forward and backward before the next begins. Within that, a node
 * stands as late as its users allow.
 *
 * @param forward number of leading nodes that are the forward computation.
 */
export function interleaveBackward(nodes: readonly Node[], forward: number): Node[] {
  const isUpdate = (node: Node): boolean => node.updates.length > 0 && node.outputs.length === 0;
  // Index of the last forward node that makes or reads a tensor, and so of what a node that reads it comes behind.
  const ready = new Map<Tensor, number>();
  nodes.slice(0, forward).forEach((node, index) => {
    for (const tensor of [...node.inputs, ...node.outputs])
      if (tensor.kind === 'value') ready.set(storage(tensor), index);
  });
  const after = nodes.map((node, index) => {
    if (index < forward) return index;
    const place = Math.max(-1, ...node.inputs.map((input) => ready.get(storage(input)) ?? -1));
    for (const output of node.outputs) ready.set(storage(output), place);
    return place;
  });
  const usedAfter = new Map<Tensor, number>();
  const readAfter = new Map<Tensor, number>();
  const backwards = nodes.map((node, index) => ({ node, index })).reverse();
  for (const { node, index } of backwards) {
    if (index >= forward && isUpdate(node)) continue;
    const place = after[index] ?? index;
    const latest = Math.min(...node.outputs.map((output) => usedAfter.get(storage(output)) ?? place));
    const final = index < forward ? place : Math.max(place, latest);
    after[index] = final;
    for (const input of node.inputs.map(storage)) {
      usedAfter.set(input, Math.min(usedAfter.get(input) ?? Infinity, final));
      readAfter.set(input, Math.max(readAfter.get(input) ?? -1, final));
    }
    for (const output of node.outputs)
      readAfter.set(storage(output), Math.max(readAfter.get(storage(output)) ?? -1, final));
  }
  nodes.forEach((node, index) => {
    // Behind all that reads what it changes.
    if (index >= forward && isUpdate(node))
      after[index] = Math.max(-1, ...node.inputs.map((each) => readAfter.get(storage(each)) ?? -1));
  });
  return nodes
    .map((node, index) => ({ node, after: after[index] ?? index }))
    .sort((a, b) => a.after - b.after)
    .map(({ node }) => node);
}
