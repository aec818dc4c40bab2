import { createTensor, Graph, storage, type Node, type Tensor } from './graph.js';
import { byteLength } from './tensor.js';

/** A training graph whose forward part is cut into segments. */
export interface Recomputation {
  readonly graph: Graph;
  /** Nodes of the forward part that are computed a second time. */
  readonly repeated: number;
}

/**
 * Trades arithmetic for memory: cuts the part of the forward computation that depends on `trained` parameters into
 * segments, keeps only the values that pass from one segment to the next, and computes the others again, each right
 * before the backward computation first needs it (Chen et al. 2016, arXiv 1604.06174).
 * The results stay the same, bit for bit: the same nodes are repeated on the same values.
 *
 * @param nodes of `graph` in the order in which they are to be computed.
 * @param forward those of them that are the forward computation, loss included.
 * @param trained parameters; what does not depend on them (a frozen network) is computed once.
 * @param segments at least 1. One after which the backward computation begins is never repeated.
 */
export function recomputeForward(
  graph: Graph,
  nodes: readonly Node[],
  forward: ReadonlySet<Node>,
  trained: readonly Tensor[],
  segments: number,
): Recomputation {
  const ahead = nodes.filter((node) => forward.has(node));
  const backward = nodes.filter((node) => !forward.has(node));
  const repeatable = dependentNodes(ahead, trained);
  const cuts = chooseCuts(ahead, backward, repeatable, segments);
  const segmentOf = (index: number): number => cuts.filter((cut) => index >= cut).length;
  const maker = new Map<Tensor, number>();
  ahead.forEach((node, index) => node.outputs.forEach((output) => maker.set(output, index)));

  // Segments between whose end and their first use nothing else is computed forward.
  const lasting = new Set<number>();
  const used = new Set<number>();
  let segment = 0;
  let passed = 0;
  for (const node of nodes) {
    if (forward.has(node)) segment = segmentOf(passed++);
    else {
      for (const input of node.inputs) {
        const made = maker.get(input);
        if (made === undefined || !repeatable.has(made)) continue;
        if (segmentOf(made) === segment && !used.has(segment)) lasting.add(segment);
        used.add(segmentOf(made));
      }
    }
  }

  // Values that a later segment needs, results and everything frozen are kept.
  const kept = new Set<Tensor>(graph.outputs.map(storage));
  ahead.forEach((node, index) => {
    for (const input of node.inputs) {
      const made = maker.get(input);
      if (made !== undefined && segmentOf(made) !== segmentOf(index)) kept.add(storage(input));
    }
  });
  const repeatedBy = (tensor: Tensor): number | undefined => {
    const made = maker.get(tensor);
    if (made === undefined || !repeatable.has(made) || kept.has(storage(tensor))) return undefined;
    return lasting.has(segmentOf(made)) ? undefined : made;
  };

  const copies = new Map<Tensor, Tensor>();
  const current = (tensor: Tensor): Tensor => copies.get(tensor) ?? tensor;
  const repeated = new Set<number>();
  const ordered: Node[] = [];
  const repeat = (tensor: Tensor): void => {
    const made = repeatedBy(tensor);
    const node = made === undefined ? undefined : ahead[made];
    if (made === undefined || !node || repeated.has(made)) return;
    repeated.add(made);
    node.inputs.forEach(repeat);
    const outputs = node.outputs.map((output) => {
      const { name, shape, dtype, owner, alias } = output;
      const copy = createTensor(name, shape, dtype, 'value', undefined, owner, alias && current(alias));
      // What is kept has its value already; the copy is only there to be written.
      if (repeatedBy(output) !== undefined) copies.set(output, copy);
      return copy;
    });
    ordered.push({ ...node, inputs: node.inputs.map(current), outputs, updates: [] });
  };
  for (const node of nodes) {
    if (forward.has(node)) {
      ordered.push(node);
      continue;
    }
    node.inputs.forEach(repeat);
    ordered.push({ ...node, inputs: node.inputs.map(current) });
  }
  const made = new Graph(graph.name);
  made.inputs.push(...graph.inputs);
  made.parameters.push(...graph.parameters);
  made.outputs.push(...graph.outputs);
  made.nodes.push(...ordered);
  return { graph: made, repeated: repeated.size };
}

/** Indices of nodes whose results change with the trained parameters. */
function dependentNodes(nodes: readonly Node[], trained: readonly Tensor[]): Set<number> {
  const changing = new Set<Tensor>(trained);
  const dependent = new Set<number>();
  nodes.forEach((node, index) => {
    if (!node.inputs.some((input) => changing.has(input))) return;
    dependent.add(index);
    for (const output of node.outputs) changing.add(output);
  });
  return dependent;
}

/**
 * Where to cut: the segments hold about equal shares of the bytes that the backward computation reads, and around each
 * such place the cut is made where the fewest bytes pass.
 */
function chooseCuts(
  ahead: readonly Node[],
  backward: readonly Node[],
  repeatable: ReadonlySet<number>,
  segments: number,
): number[] {
  const read = new Set(backward.flatMap((node) => node.inputs.map(storage)));
  const bytes = (tensor: Tensor): number => byteLength(tensor.shape, tensor.dtype);
  const lastUse = new Map<Tensor, number>();
  ahead.forEach((node, index) => node.inputs.forEach((input) => lastUse.set(storage(input), index)));
  const held: number[] = [];
  const passing: number[] = [];
  let total = 0;
  ahead.forEach((node, index) => {
    // Bytes that pass a cut in front of this node.
    passing[index] ??= 0;
    held.push(total);
    if (!repeatable.has(index)) return;
    for (const output of node.outputs) {
      if (output.alias) continue;
      if (read.has(output)) total += bytes(output);
      const end = lastUse.get(output) ?? index;
      for (let place = index + 1; place <= end; place++) passing[place] = (passing[place] ?? 0) + bytes(output);
    }
  });
  const cuts: number[] = [];
  for (let cut = 1; cut < segments; cut++) {
    const wanted = (total * cut) / segments;
    const slack = total / segments / 3;
    let best: number | undefined;
    for (let index = (cuts.at(-1) ?? 0) + 1; index < ahead.length; index++) {
      if (Math.abs((held[index] ?? 0) - wanted) > slack) continue;
      if (best === undefined || (passing[index] ?? 0) < (passing[best] ?? 0)) best = index;
    }
    if (best !== undefined) cuts.push(best);
  }
  return cuts;
}
