import type { Graph, Operator, Tensor } from '../engine/graph.js';
import { elementCount } from '../engine/tensor.js';
import { applyBands } from './apply-bands.js';
import { antialiasBands, transposeBands } from './bands.js';
import source from './resize2d-antialias.wgsl';
import { imageShape, packing, stripWorkgroups } from './shapes.js';
import { longestLoop, stripLoopsOf, unroll } from './unroll.js';

/** Larger factors have windows that leave the registers. */
const largestFactor = 4;

/** Whether an axis shrinks by a factor that the kernel is written for. */
export function wholeFactor(inputs: number, outputs: number): boolean {
  const factor = inputs / outputs;
  return Number.isInteger(factor) && factor > 1 && factor <= largestFactor;
}

/** The triangle over the inputs of a window away from the border, not normalised, and how many lie before `factor · output`. */
function triangle(factor: number): { before: number; weights: number[] } {
  const before = -Math.floor((1 - factor) / 2);
  const weights = Array.from({ length: 2 * factor }, (_, tap) =>
    Math.max(0, 1 - Math.abs((tap - before + 0.5) / factor - 0.5)),
  );
  return { before, weights };
}

const antialiasOperator: Operator = {
  name: 'resize2d-antialias',
  lower(node, lowering) {
    const [input] = node.inputs;
    const [result] = node.outputs;
    if (!input || !result) throw new Error('resize2d-antialias wants one input');
    const { height, width, channels } = imageShape('resize2d-antialias', input);
    const out = imageShape('resize2d-antialias', result);
    const hardware = lowering.adapter.class === 'hardware';
    // In software scalar loads are the cheaper ones, and an output has five.
    const packed = packing(hardware ? channels : 1);
    const [factorY, factorX] = [height / out.height, width / out.width];
    const [vertical, horizontal] = [triangle(factorY), triangle(factorX)];
    // Hardware hides loads that caches answer, and wants many threads that touch neighbouring elements. In software wide
    // strips load less; more than some 40 loads a step take the driver's compiler seconds.
    const columns = hardware ? 1 : Math.max(1, Math.floor(32 / (factorY * factorX)));
    const lines = hardware ? 4 : 16;
    const sizes = { WIDTH: columns, FACTOR_Y: factorY, FACTOR_X: factorX, REACH: (columns + 1) * factorX };
    const weights = [
      ['WEIGHTS_Y', vertical.weights],
      ['WEIGHTS_X', horizontal.weights],
    ] as const;
    const tables = weights.map(
      ([name, values]) => `const ${name} = array<f32, ${values.length}>(${values.map(Math.fround).join(', ')});\n`,
    );
    lowering.dispatch({
      kernel: {
        name: `resize2d/antialias-${factorY}-${factorX}-${packed.suffix}`,
        source: [unroll(source, sizes, stripLoopsOf(lowering.adapter)), ...tables].join('\n'),
        constants: { ...sizes, ABOVE: vertical.before, BEFORE: horizontal.before },
        aliases: packed.aliases,
      },
      bindings: [input, result],
      parameters: {
        height,
        width,
        channels: channels / packed.width,
        outHeight: out.height,
        outWidth: out.width,
        lines,
        longest_loop: longestLoop,
      },
      workgroups: stripWorkgroups(out, packed, columns, lines),
      flops: 4 * elementCount(result.shape) * factorY * (factorX + 1),
    });
  },
  gradient(node, [gradient], graph) {
    const [input] = node.inputs;
    if (!gradient || !input) return [];
    const { height, width } = imageShape('resize2d-antialias', input);
    const out = imageShape('resize2d-antialias', gradient);
    const rows = applyBands(graph, gradient, 'height', transposeBands(antialiasBands(height, out.height)));
    return [applyBands(graph, rows, 'width', transposeBands(antialiasBands(width, out.width)))];
  },
};

/**
 * Shrinks by whole factors (see {@link wholeFactor}) with antialiasing.
 *
 * @param input `[batch, height, width, channels]`.
 * @returns `[batch, size.height, size.width, channels]`.
 */
export function shrinkWhole(
  graph: Graph,
  input: Tensor,
  size: { readonly height: number; readonly width: number },
): Tensor {
  const { batch, channels } = imageShape('resize2d-antialias', input);
  return graph.apply(antialiasOperator, [input], undefined, [batch, size.height, size.width, channels]);
}
