import type { AdapterProfile } from '../engine/adapter.js';
import { foldWorkgroups } from '../engine/kernel.js';
import type { Graph, Lowering, Operator, Tensor, Variant } from '../engine/graph.js';
import { elementCount } from '../engine/tensor.js';
import registerSource from './gaussian-blur-register.wgsl';
import stripSource from './gaussian-blur-strip.wgsl';
import tileSource from './gaussian-blur-tile.wgsl';
import transposedSource from './gaussian-blur-transposed.wgsl';
import source from './gaussian-blur.wgsl';
import { imageShape, packing, table, wrong, type ImageShape } from './shapes.js';
import { longestLoop, memoryLoopsOf, unroll } from './unroll.js';

/** Weights of a Gaussian: exp(−x²/2σ²) at whole x from −radius to radius = int(4σ + 0.5), with sum 1. */
export function gaussianWeights(sigma: number): Float32Array {
  const radius = gaussianRadius(sigma);
  const values = Array.from({ length: 2 * radius + 1 }, (_, tap) =>
    Math.exp(-((tap - radius) ** 2) / (2 * sigma ** 2)),
  );
  const total = values.reduce((sum, value) => sum + value, 0);
  return Float32Array.from(values, (value) => value / total);
}

function gaussianRadius(sigma: number): number {
  return Math.trunc(4 * sigma + 0.5);
}

/** What a variant computes with: both axes of `input` into `result`. */
interface Blur {
  readonly lowering: Lowering;
  readonly input: Tensor;
  readonly weights: Tensor;
  readonly result: Tensor;
  readonly shape: ImageShape;
  readonly sigma: number;
  readonly radius: number;
}

interface BlurVariant extends Variant {
  readonly applies: (shape: ImageShape, radius: number) => boolean;
  readonly lower: (blur: Blur) => void;
}

/** The ways to blur, from the plainest to the fastest on software adapters; `tile` is for hardware. */
export const gaussianBlurVariants: readonly BlurVariant[] = [
  { name: 'naive', applies: () => true, lower: lowerNaive },
  {
    name: 'tile',
    // Wider ones do not fit into the workgroup memory that every device has.
    applies: ({ height, width, channels }, radius) =>
      radius < Math.min(height, width) && radius <= 16 && channels === 1 && width % 4 === 0,
    lower: lowerTile,
  },
  {
    name: 'register',
    applies: ({ height, width }, radius) => radius < Math.min(height, width),
    lower: lowerRegister,
  },
  {
    name: 'transposed',
    applies: ({ height, width, channels }, radius) =>
      radius < Math.min(height, width) && channels === 1 && height % 4 === 0 && width % 4 === 0,
    lower: lowerTransposed,
  },
  {
    name: 'strip',
    // Longer windows leave the registers.
    applies: ({ height, width, channels }, radius) =>
      radius < Math.min(height, width) && radius <= 24 && channels === 1 && height % 4 === 0 && width % 4 === 0,
    lower: lowerStrip,
  },
];

function lowerNaive({ lowering, input, weights, result, shape, radius }: Blur): void {
  const count = elementCount(input.shape);
  const between = lowering.temporary('gaussian-blur.rows', input.shape);
  const pass = (from: Tensor, to: Tensor, length: number, inner: number): void =>
    lowering.dispatch({
      kernel: { name: 'gaussian-blur/naive', source },
      bindings: [from, weights, to],
      parameters: { count, length, inner, radius },
      workgroups: foldWorkgroups(Math.ceil(count / 64), lowering.adapter.limits.maxComputeWorkgroupsPerDimension),
      flops: 2 * count * (2 * radius + 1),
    });
  pass(input, between, shape.width, shape.channels);
  pass(between, result, shape.height, shape.width * shape.channels);
}

function lowerRegister({ lowering, input, weights, result, shape, radius }: Blur): void {
  const { batch, height, width, channels } = shape;
  const flops = 2 * elementCount(input.shape) * (2 * radius + 1);
  const between = lowering.temporary('gaussian-blur.rows', input.shape);
  const pass = (from: Tensor, to: Tensor, flat: boolean): void => {
    const length = flat ? width : height;
    const packed = packing(flat ? channels : width * channels);
    const inner = (flat ? channels : width * channels) / packed.width;
    const blocks = Math.ceil(length / 8);
    lowering.dispatch({
      kernel: {
        name: `gaussian-blur/register-${flat ? 'width' : 'height'}-${packed.suffix}`,
        source: registerSource,
        constants: { FLAT: flat },
        aliases: packed.aliases,
      },
      bindings: [from, weights, to],
      parameters: { length, inner, radius },
      workgroups: flat ? [Math.ceil((blocks * inner) / 64), height, batch] : [Math.ceil(inner / 64), blocks, batch],
      flops,
    });
  };
  pass(input, between, true);
  pass(between, result, false);
}

function lowerTransposed({ lowering, input, weights, result, shape, radius }: Blur): void {
  const { batch, height, width } = shape;
  const between = lowering.temporary('gaussian-blur.columns', [batch, width, height, 1]);
  const pass = (from: Tensor, to: Tensor, rows: number, columns: number): void =>
    lowering.dispatch({
      kernel: { name: 'gaussian-blur/transposed', source: transposedSource },
      bindings: [from, weights, to],
      parameters: { height: rows, width: columns / 4, radius },
      workgroups: [Math.ceil(columns / 4 / 64), Math.ceil(rows / 8), batch],
      flops: 2 * batch * rows * columns * (2 * radius + 1),
    });
  pass(input, between, height, width);
  pass(between, result, width, height);
}

function lowerStrip({ lowering, input, sigma, result, shape, radius }: Blur): void {
  const { batch, height, width } = shape;
  const between = lowering.temporary('gaussian-blur.columns', [batch, width, height, 1]);
  const taps = 2 * radius + 1;
  const step = 8;
  const constants = { TAPS: taps, ROWS: step, LEAD: step * Math.ceil((taps - 1) / step) };
  const source = withWeights(unroll(stripSource, constants), sigma);
  const pass = (from: Tensor, to: Tensor, rows: number, columns: number): void => {
    const strip = stripRows(rows * columns, lowering.adapter);
    lowering.dispatch({
      kernel: { name: `gaussian-blur/strip-${sigma}`, source, constants },
      bindings: [from, to],
      parameters: { height: rows, width: columns, radius, strip },
      workgroups: [Math.ceil(columns / 64), Math.ceil(rows / strip), batch],
      flops: 2 * batch * rows * columns * taps,
    });
  };
  pass(input, between, height, width);
  pass(between, result, width, height);
}

function lowerTile({ lowering, input, sigma, result, shape, radius }: Blur): void {
  const { batch, height, width } = shape;
  const taps = 2 * radius + 1;
  const lead = 4 * Math.ceil(radius / 4);
  const constants = { TAPS: taps, RADIUS: radius, LEAD: lead, REACH: 8 + 2 * lead, LINES: 64 + 2 * radius };
  const source = withWeights(unroll(tileSource, constants, memoryLoopsOf(lowering.adapter)), sigma);
  lowering.dispatch({
    kernel: { name: `gaussian-blur/tile-${sigma}`, source, constants },
    bindings: [input, result],
    parameters: { height, width, longest_loop: longestLoop },
    workgroups: [Math.ceil(width / 32), Math.ceil(height / 64), batch],
    flops: 4 * batch * height * width * taps,
  });
}

/** A kernel's text with the weights as a constant: multiplied by numbers, not by what has to be loaded. */
function withWeights(source: string, sigma: number): string {
  const weights = gaussianWeights(sigma);
  return `${source}\nconst WEIGHTS = array<f32, ${weights.length}>(${weights.join(', ')});\n`;
}

/** Rows of a strip: long ones load little twice, short ones make enough threads for a wide device. */
function stripRows(pixels: number, adapter: AdapterProfile): number {
  if (adapter.class !== 'hardware') return 256;
  return Math.min(128, Math.max(16, 4 * Math.floor(pixels / 2 ** 18)));
}

const gaussianBlurOperator: Operator<{ sigma: number }> = {
  name: 'gaussian-blur',
  lower(node, lowering) {
    const [input, weights] = node.inputs;
    const [result] = node.outputs;
    if (!input || !weights || !result) throw new Error('gaussian-blur wants two inputs');
    const shape = imageShape('gaussian-blur', input);
    const radius = gaussianRadius(node.attributes.sigma);
    const possible = gaussianBlurVariants.filter((variant) => variant.applies(shape, radius));
    const tile = possible.find(({ name }) => name === 'tile');
    const preferred = lowering.adapter.class === 'hardware' && tile ? tile : possible.at(-1);
    if (!preferred) throw new Error('gaussian-blur has no variant');
    const key = `${input.shape.join('x')}-${radius}`;
    const variant = lowering.choose('gaussian-blur', key, possible, preferred);
    variant.lower({ lowering, input, weights, result, shape, sigma: node.attributes.sigma, radius });
  },
};

/**
 * Gaussian blur of every channel, separable, 2·int(4σ + 0.5) + 1 taps a side. Borders are reflected about the outermost
 * pixels; where a side is shorter than the radius the reflection is repeated back and forth.
 *
 * @param input `[batch, height, width, channels]`.
 * @param options.sigma standard deviation in pixels.
 */
export function gaussianBlur(graph: Graph, input: Tensor, options: { readonly sigma: number }): Tensor {
  imageShape('gaussian-blur', input);
  if (!(options.sigma > 0) || !Number.isFinite(options.sigma)) throw wrong('gaussian-blur', `sigma ${options.sigma}`);
  const weights = gaussianWeights(options.sigma);
  // Whole vectors, with the zeros behind that the kernels' sliding windows run into.
  const padded = new Float32Array(4 * Math.ceil((weights.length + 7) / 4));
  padded.set(weights);
  return graph.apply(gaussianBlurOperator, [input, table(graph, 'gaussian', padded)], options, input.shape);
}
