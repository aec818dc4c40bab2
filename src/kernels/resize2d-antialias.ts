import type { AdapterProfile } from '../engine/adapter.js';
import type { Graph, Lowering, Operator, Tensor, Variant } from '../engine/graph.js';
import { applyBands } from './apply-bands.js';
import { antialiasBands, transposeBands } from './bands.js';
import subgroupSource from './resize2d-antialias-subgroup.wgsl';
import source from './resize2d-antialias.wgsl';
import { imageShape, packing, type ImageShape } from './shapes.js';
import { stripWorkgroups, subgroupStrips, takesSubgroupStrips } from './strips.js';
import stripsSource from './subgroup-strips.wgsl';
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

/** One shrinking, as the variants need it. */
interface Shrinking {
  readonly lowering: Lowering;
  readonly input: Tensor;
  readonly result: Tensor;
  readonly shape: ImageShape;
  readonly out: ImageShape;
}

interface ShrinkVariant extends Variant {
  readonly applies: (adapter: AdapterProfile) => boolean;
  readonly lower: (shrinking: Shrinking) => void;
}

/** The ways to shrink: strips of whole windows, and strips whose columns subgroups share. */
export const antialiasVariants: readonly ShrinkVariant[] = [
  { name: 'strip', applies: () => true, lower: lowerStrips },
  { name: 'subgroup', applies: takesSubgroupStrips, lower: lowerSubgroups },
];

/** Constants of the text, and its weights. */
function windows({ shape, out }: Shrinking) {
  const [factorY, factorX] = [shape.height / out.height, shape.width / out.width];
  const [vertical, horizontal] = [triangle(factorY), triangle(factorX)];
  const table = (name: string, values: readonly number[]): string =>
    `const ${name} = array<f32, ${values.length}>(${values.map(Math.fround).join(', ')});`;
  return {
    factorY,
    factorX,
    constants: { ABOVE: vertical.before, BEFORE: horizontal.before, FACTOR_Y: factorY, FACTOR_X: factorX },
    tables: `\n${table('WEIGHTS_Y', vertical.weights)}\n${table('WEIGHTS_X', horizontal.weights)}\n`,
  };
}

const shrinkFlops = (
  { out: { batch, height, width, channels } }: Shrinking,
  factorY: number,
  factorX: number,
): number => 4 * batch * height * width * channels * factorY * (factorX + 1);

function lowerStrips(shrinking: Shrinking): void {
  const { lowering, input, result, shape, out } = shrinking;
  const hardware = lowering.adapter.class === 'hardware';
  // In software scalar loads are the cheaper ones, and an output has five.
  const packed = packing(hardware ? shape.channels : 1);
  const { factorY, factorX, constants, tables } = windows(shrinking);
  // Hardware hides loads that caches answer, and wants many threads that touch neighbouring elements. In software wide
  // strips load less; more than some 40 loads a step take the driver's compiler seconds.
  const columns = hardware ? 1 : Math.max(1, Math.floor(32 / (factorY * factorX)));
  const lines = hardware ? 4 : 16;
  const sizes = { ...constants, WIDTH: columns, REACH: (columns + 1) * factorX };
  lowering.dispatch({
    kernel: {
      name: `resize2d/antialias-${factorY}-${factorX}-${packed.suffix}`,
      source: unroll(source, sizes, stripLoopsOf(lowering.adapter)) + tables,
      constants: sizes,
      aliases: packed.aliases,
    },
    bindings: [input, result],
    parameters: {
      height: shape.height,
      width: shape.width,
      channels: shape.channels / packed.width,
      outHeight: out.height,
      outWidth: out.width,
      lines,
      longest_loop: longestLoop,
    },
    workgroups: stripWorkgroups(out, packed, columns, lines),
    flops: shrinkFlops(shrinking, factorY, factorX),
  });
}

function lowerSubgroups(shrinking: Shrinking): void {
  const { lowering, input, result, shape, out } = shrinking;
  const packed = packing(shape.channels);
  const strips = subgroupStrips(lowering.adapter, out, packed);
  const { factorY, factorX, constants, tables } = windows(shrinking);
  lowering.dispatch({
    kernel: {
      name: `resize2d/antialias-subgroup-${factorY}-${factorX}-${packed.suffix} lanes=${strips.lanes}`,
      source: [unroll(subgroupSource, constants), stripsSource, tables].join('\n'),
      constants: { ...constants, SUBGROUP: strips.lanes },
      aliases: packed.aliases,
      enables: ['subgroups'],
    },
    bindings: [input, result],
    parameters: {
      ...strips.parameters,
      height: shape.height,
      width: shape.width,
      channels: shape.channels / packed.width,
      outHeight: out.height,
      outWidth: out.width,
    },
    workgroups: strips.workgroups,
    flops: shrinkFlops(shrinking, factorY, factorX),
  });
}

const antialiasOperator: Operator = {
  name: 'resize2d-antialias',
  lower(node, lowering) {
    const [input] = node.inputs;
    const [result] = node.outputs;
    if (!input || !result) throw new Error('resize2d-antialias wants one input');
    const [shape, out] = [imageShape('resize2d-antialias', input), imageShape('resize2d-antialias', result)];
    const possible = antialiasVariants.filter((variant) => variant.applies(lowering.adapter));
    const preferred = lowering.adapter.class === 'lavapipe' ? possible.at(-1) : possible[0];
    if (!preferred) throw new Error('resize2d-antialias has no variant');
    const key = `${input.shape.join('x')}-${out.height}x${out.width}`;
    const variant = lowering.choose('resize2d-antialias', key, possible, preferred);
    variant.lower({ lowering, input, result, shape, out });
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
