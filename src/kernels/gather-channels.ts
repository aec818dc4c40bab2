import type { Graph, Lowering, Operator, Tensor } from '../engine/graph.js';
import { nearestScale } from './bands.js';
import source from './gather-channels.wgsl';
import { imageShape, table, wrong, type ImageShape } from './shapes.js';

interface GatherAttributes {
  /** Input channel of each output channel, several rows where inputs are summed; −1 for none. */
  readonly picks: readonly (readonly number[])[];
}

/** A table entry that no image has as a channel. */
const none = 2 ** 24;

/** Neighbouring pixels that a thread computes. */
const pixelsOfThread = 4;

function gather(
  lowering: Lowering,
  bindings: readonly [Tensor, Tensor, Tensor],
  input: ImageShape,
  out: ImageShape,
  work: { slots: number; picked: number; scatter: boolean },
): void {
  lowering.dispatch({
    kernel: {
      name: `gather-channels/${work.slots}${work.scatter ? '-scatter' : ''}`,
      source,
      constants: { SLOTS: work.slots, SCATTER: work.scatter, PIXELS: pixelsOfThread },
    },
    bindings,
    parameters: {
      height: input.height,
      width: input.width,
      channels: input.channels,
      outWidth: out.width,
      picked: work.picked,
      outChannels: out.channels,
      scaleY: nearestScale(input.height, out.height),
      scaleX: nearestScale(input.width, out.width),
    },
    workgroups: [Math.ceil((Math.ceil(out.width / pixelsOfThread) * work.picked) / 64), out.height, out.batch],
  });
}

const gatherChannelsOperator: Operator<GatherAttributes> = {
  name: 'gather-channels',
  lower(node, lowering) {
    const [input, picks] = node.inputs;
    const [result] = node.outputs;
    if (!input || !picks || !result) throw new Error('gather-channels wants two inputs');
    const out = imageShape('gather-channels', result);
    gather(lowering, [input, picks, result], imageShape('gather-channels', input), out, {
      slots: node.attributes.picks.length,
      picked: out.channels,
      scatter: false,
    });
  },
  gradient(node, [gradient], graph) {
    const [input] = node.inputs;
    if (!gradient || !input) return [];
    const { channels } = imageShape('gather-channels', input);
    const pickedBy = Array.from({ length: channels }, (): number[] => []);
    for (const row of node.attributes.picks) row.forEach((channel, column) => pickedBy[channel]?.push(column));
    const slots = Math.max(1, ...pickedBy.map((columns) => columns.length));
    const picks = Array.from({ length: slots }, (_, slot) => pickedBy.map((columns) => columns[slot] ?? -1));
    return [gatherRows(graph, gradient, picks)];
  },
};

function gatherRows(graph: Graph, input: Tensor, picks: GatherAttributes['picks']): Tensor {
  const entries = Float32Array.from(picks.flat(), (channel) => (channel < 0 ? none : channel));
  return graph.apply(
    gatherChannelsOperator,
    [input, table(graph, 'channels', entries, 'u32')],
    { picks },
    input.shape.with(3, picks[0]?.length ?? 0),
  );
}

function checkIndices(operator: string, indices: readonly number[], channels: number): void {
  if (indices.length === 0) throw wrong(operator, 'no channel is chosen');
  for (const index of indices) {
    if (!Number.isInteger(index) || index < 0 || index >= channels) {
      throw wrong(operator, `channel ${index} is not among ${channels}`);
    }
  }
}

/**
 * Picks channels, in the order given; a channel may be picked several times.
 *
 * @param input `[batch, height, width, channels]`.
 * @returns `[batch, height, width, indices.length]`.
 */
export function gatherChannels(graph: Graph, input: Tensor, indices: readonly number[]): Tensor {
  checkIndices('gather-channels', indices, imageShape('gather-channels', input).channels);
  return gatherRows(graph, input, [indices]);
}

/** Puts the channels into another order: channel i of the result is channel `order[i]` of the input. */
export function permuteChannels(graph: Graph, input: Tensor, order: readonly number[]): Tensor {
  const { channels } = imageShape('permute-channels', input);
  if (order.length !== channels || new Set(order).size !== channels) {
    throw wrong('permute-channels', `wants each of ${channels} channels once`);
  }
  return gatherChannels(graph, input, order);
}

interface FeatureAttributes {
  readonly height: number;
  readonly width: number;
  /** How many columns of the embedding each feature map gives. */
  readonly counts: readonly number[];
}

const gatherFeaturesOperator: Operator<FeatureAttributes> = {
  name: 'gather-features',
  lower(node, lowering) {
    const [result] = node.outputs;
    const { height, width, counts } = node.attributes;
    if (!result) throw new Error('gather-features gives one output');
    const [batch = 1, , channels = 1] = result.shape;
    const out = { batch, height, width, channels };
    let next = counts.length;
    counts.forEach((picked, index) => {
      const tap = node.inputs[index];
      if (!tap) throw new Error(`gather-features has no feature map ${index}`);
      if (picked === 0) return;
      const picks = node.inputs[next];
      next += 1;
      if (!picks) throw new Error('gather-features has too few tables');
      gather(lowering, [tap, picks, result], imageShape('gather-features', tap), out, {
        slots: 1,
        picked,
        scatter: true,
      });
    });
  },
};

/**
 * The embedding of PaDiM: feature maps of different resolution are brought to one size by nearest sampling and
 * concatenated along channels, of which only the chosen ones are made. One kernel a feature map; nothing in between is
 * stored.
 *
 * @param taps `[batch, h, w, c]` each, with one batch.
 * @param options.channels indices into the concatenated channels, in the order of the result.
 * @returns `[batch, height · width, channels.length]`.
 */
export function gatherFeatures(
  graph: Graph,
  taps: readonly Tensor[],
  options: { readonly height: number; readonly width: number; readonly channels: readonly number[] },
): Tensor {
  const { height, width, channels } = options;
  const shapes = taps.map((tap) => imageShape('gather-features', tap));
  const total = shapes.reduce((sum, shape) => sum + shape.channels, 0);
  checkIndices('gather-features', channels, total);
  const batch = shapes[0]?.batch ?? 1;
  if (shapes.some((shape) => shape.batch !== batch))
    throw wrong('gather-features', 'feature maps of different batches');
  const tables: Tensor[] = [];
  const counts: number[] = [];
  let first = 0;
  for (const shape of shapes) {
    const start = first;
    const columns = channels
      .map((channel, position) => ({ channel: channel - start, position }))
      .filter(({ channel }) => channel >= 0 && channel < shape.channels);
    first += shape.channels;
    counts.push(columns.length);
    if (columns.length === 0) continue;
    const entries = [...columns.map(({ channel }) => channel), ...columns.map(({ position }) => position)];
    tables.push(table(graph, 'features', Float32Array.from(entries), 'u32'));
  }
  return graph.apply(gatherFeaturesOperator, [...taps, ...tables], { height, width, counts }, [
    batch,
    height * width,
    channels.length,
  ]);
}
