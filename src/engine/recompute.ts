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
 * segments, keeps only the values that pass from one segment to the next, and computes the others again, segment by
 * segment, right before the backward computation first needs them (Chen et al. 2016, arXiv 1604.06174).
 * The results stay the same, bit for bit: the same nodes are repeated on the same values.
 *
 * @param forward number of leading nodes of `graph` that are the forward computation, loss included.
 * @param trained parameters; what does not depend on them (a frozen network) is computed once.
 * @param segments at least 1; the last one is never repeated, as the backward computation begins with it.
 */
export function recomputeForward(
  graph: Graph,
  forward: number,
  trained: readonly Tensor[],
  segments: number,
): Recomputation {
  const ahead = graph.nodes.slice(0, forward);
  const backward = graph.nodes.slice(forward);
  const repeatable = dependentNodes(ahead, trained);
  const cuts = chooseCuts(ahead, backward, repeatable, segments);
  const segmentOf = (index: number): number => cuts.filter((cut) => index >= cut).length;
  const lastSegment = cuts.length;

  // Values that a later segment needs, results and everything frozen are kept.
  const maker = new Map<Tensor, number>();
  ahead.forEach((node, index) => node.outputs.forEach((output) => maker.set(output, index)));
  const kept = new Set<Tensor>(graph.outputs.map(storage));
  ahead.forEach((node, index) => {
    for (const input of node.inputs) {
      const made = maker.get(input);
      if (made !== undefined && segmentOf(made) !== segmentOf(index)) kept.add(storage(input));
    }
  });
  const isRepeated = (tensor: Tensor): number | undefined => {
    const made = maker.get(tensor);
    if (made === undefined || !repeatable.has(made) || kept.has(storage(tensor))) return undefined;
    return segmentOf(made) < lastSegment ? made : undefined;
  };

  // Nodes of each segment that the backward computation needs again.
  const needed = new Set<number>();
  const need = (tensor: Tensor): void => {
    const made = isRepeated(tensor);
    if (made === undefined || needed.has(made)) return;
    needed.add(made);
    for (const input of ahead[made]?.inputs ?? []) need(input);
  };
  for (const node of backward) node.inputs.forEach(need);

  const copies = new Map<Tensor, Tensor>();
  const current = (tensor: Tensor): Tensor => copies.get(tensor) ?? tensor;
  const repeat = (node: Node): Node => {
    const outputs = node.outputs.map((output) => {
      const { name, shape, dtype, owner, alias } = output;
      const copy = createTensor(name, shape, dtype, 'value', undefined, owner, alias && current(alias));
      // What is kept has its value already; the copy is only there to be written.
      if (isRepeated(output) !== undefined) copies.set(output, copy);
      return copy;
    });
    return { ...node, inputs: node.inputs.map(current), outputs, updates: [] };
  };
  const nodes: Node[] = [...ahead];
  const done = new Set<number>();
  for (const node of backward) {
    for (const input of node.inputs) {
      const made = isRepeated(input);
      if (made === undefined || done.has(segmentOf(made))) continue;
      const segment = segmentOf(made);
      done.add(segment);
      ahead.forEach((candidate, index) => {
        if (segmentOf(index) === segment && needed.has(index)) nodes.push(repeat(candidate));
      });
    }
    nodes.push({ ...node, inputs: node.inputs.map(current) });
  }
  const made = new Graph(graph.name);
  made.inputs.push(...graph.inputs);
  made.parameters.push(...graph.parameters);
  made.outputs.push(...graph.outputs);
  made.nodes.push(...nodes);
  return { graph: made, repeated: needed.size };
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
