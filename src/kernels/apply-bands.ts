import type { Graph, Operator, Tensor } from '../engine/graph.js';
import source from './apply-bands.wgsl';
import { transposeBands, type Bands } from './bands.js';
import { imageShape, packing, table, wrong } from './shapes.js';

interface BandAttributes {
  readonly axis: 'height' | 'width';
  readonly bands: Bands;
}

const applyBandsOperator: Operator<BandAttributes> = {
  name: 'apply-bands',
  lower(node, lowering) {
    const [input, starts, weights] = node.inputs;
    const [result] = node.outputs;
    if (!input || !starts || !weights || !result) throw new Error('apply-bands wants three inputs');
    const { axis, bands } = node.attributes;
    const { batch, height, width, channels } = imageShape('apply-bands', input);
    const elements = axis === 'height' ? width * channels : channels;
    const packed = packing(elements);
    const inner = elements / packed.width;
    const outer = axis === 'height' ? batch : batch * height;
    const items = lowering.adapter.class === 'hardware' ? 1 : 4;
    lowering.dispatch({
      kernel: {
        name: `apply-bands/${axis}-${packed.suffix}`,
        source,
        constants: { FLAT: axis === 'width', ITEMS: items },
        aliases: packed.aliases,
      },
      bindings: [input, starts, weights, result],
      parameters: { length: bands.inputs, outLength: bands.outputs, inner, outer, taps: bands.taps },
      workgroups:
        axis === 'height'
          ? [Math.ceil(inner / items / 64), bands.outputs, batch]
          : [Math.ceil((bands.outputs * inner) / 64), Math.ceil(height / items), batch],
      flops: 2 * bands.taps * result.shape.reduce((product, size) => product * size, 1),
    });
  },
  gradient(node, [gradient], graph) {
    const { axis, bands } = node.attributes;
    return gradient ? [applyBands(graph, gradient, axis, transposeBands(bands))] : [];
  },
};

/** Applies a banded map along the height or width of `[batch, height, width, channels]`. */
export function applyBands(graph: Graph, input: Tensor, axis: 'height' | 'width', bands: Bands): Tensor {
  const shape = imageShape('apply-bands', input);
  if (shape[axis] !== bands.inputs) throw wrong('apply-bands', `${axis} is ${shape[axis]}, not ${bands.inputs}`);
  const starts = table(graph, 'bands.starts', Float32Array.from(bands.starts), 'u32');
  const weights = table(graph, 'bands.weights', bands.weights);
  return graph.apply(
    applyBandsOperator,
    [input, starts, weights],
    { axis, bands },
    input.shape.with(axis === 'height' ? 1 : 2, bands.outputs),
  );
}
