import type { AdapterClass } from '../engine/adapter.js';
import type { Graph, Lowering, Operator, Tensor, Variant } from '../engine/graph.js';
import { applyBands } from './apply-bands.js';
import { antialiasBands, linearBands, linearScale, nearestBands, nearestScale, transposeBands } from './bands.js';
import { shrinkWhole, wholeFactor } from './resize2d-antialias.js';
import blockSource from './resize2d-block.wgsl';
import mapSource from './resize2d-map.wgsl';
import rowsSource from './resize2d-rows.wgsl';
import slideChannelsSource from './resize2d-slide-channels.wgsl';
import slideMapSource from './resize2d-slide-map.wgsl';
import slideSource from './resize2d-slide.wgsl';
import source from './resize2d.wgsl';
import { imageShape, packing, wrong, type ImageShape } from './shapes.js';
import { subgroupStrips, takesSubgroupStrips } from './strips.js';
import stripsSource from './subgroup-strips.wgsl';
import { unroll } from './unroll.js';

/** How to resize. */
export interface Resize2dOptions {
  readonly height: number;
  readonly width: number;
  /** `nearest` takes pixel `floor(i · scale)` as PyTorch does. */
  readonly mode: 'nearest' | 'bilinear';
  /** Bilinear: corner pixels fall on corner pixels; otherwise (the default) areas correspond. */
  readonly alignCorners?: boolean;
  /** Bilinear: widens the filter when shrinking, as torchvision's resize does. Not with `alignCorners`. */
  readonly antialias?: boolean;
}

/** One resize, as the variants need it. */
interface Resize {
  readonly lowering: Lowering;
  readonly input: Tensor;
  readonly result: Tensor;
  readonly shape: ImageShape;
  readonly out: ImageShape;
  readonly bilinear: boolean;
  /** Fields of every variant's Params: sizes, steps and where output 0 falls. */
  readonly parameters: Readonly<Record<string, number>>;
}

interface ResizeVariant extends Variant {
  readonly applies: (resize: Resize) => boolean;
  readonly lower: (resize: Resize) => void;
}

/** Output rows that a thread of the faster variants computes: on hardware fewer, so that small maps still make enough threads. */
const rowsOfThread = (lowering: Lowering): number => (lowering.adapter.class === 'hardware' ? 2 : 8);

/** The ways to resize by interpolation, from the plainest to the fastest. */
export const resize2dVariants: readonly ResizeVariant[] = [
  { name: 'naive', applies: () => true, lower: lowerNaive },
  { name: 'rows', applies: () => true, lower: lowerRows },
  { name: 'map', applies: ({ out }) => isMap(out), lower: lowerMap },
  {
    name: 'block',
    applies: ({ out, bilinear, parameters: { scaleY = 2, scaleX = 2 } }) =>
      isMap(out) && bilinear && scaleY <= 1 && scaleX <= 1,
    lower: lowerBlock,
  },
  {
    name: 'slide',
    applies: ({ lowering, out, bilinear, parameters: { scaleY = 2, scaleX = 2 } }) => {
      const { subgroupSize: lanes = 0 } = lowering.adapter;
      const columns = isMap(out) ? scaleX <= 1 : out.channels % 4 === 0 && reach(lanes, scaleX) <= lanes;
      return takesSubgroupStrips(lowering.adapter) && bilinear && scaleY <= 1 && columns;
    },
    lower: lowerSlide,
  },
];

/** The choices for enlarging, best first: the first that applies is taken. */
const enlarging: Readonly<Record<AdapterClass, readonly string[]>> = {
  hardware: ['map', 'rows'],
  lavapipe: ['slide', 'block', 'map', 'rows'],
  swiftshader: ['block', 'map', 'rows'],
};

/** Input pixels that so many neighbouring output pixels lie between at most, rounded as in the kernels. */
function reach(outputs: number, scale: number): number {
  return Math.floor(Math.fround((outputs - 1) * Math.fround(scale))) + 3;
}

/** Whether lines consist of whole vectors of neighbouring pixels. */
const isMap = ({ width, channels }: ImageShape): boolean => channels === 1 && width % 4 === 0;

function lowerNaive({ lowering, input, result, shape, out, bilinear, parameters }: Resize): void {
  const packed = packing(shape.channels);
  lowering.dispatch({
    kernel: {
      name: `resize2d/naive-${bilinear ? 'bilinear' : 'nearest'}-${packed.suffix}`,
      source,
      constants: { BILINEAR: bilinear },
      aliases: packed.aliases,
    },
    bindings: [input, result],
    parameters: { ...parameters, channels: shape.channels / packed.width },
    workgroups: [Math.ceil((out.width * out.channels) / packed.width / 64), out.height, out.batch],
    flops: resizeFlops(out, bilinear),
  });
}

function lowerRows({ lowering, input, result, shape, out, bilinear, parameters }: Resize): void {
  const packed = packing(shape.channels);
  lowering.dispatch({
    kernel: {
      name: `resize2d/rows-${bilinear ? 'bilinear' : 'nearest'}-${packed.suffix}`,
      source: rowsSource,
      constants: { BILINEAR: bilinear, ROWS: rowsOfThread(lowering) },
      aliases: packed.aliases,
    },
    bindings: [input, result],
    parameters: { ...parameters, channels: shape.channels / packed.width },
    workgroups: [
      Math.ceil((out.width * out.channels) / packed.width / 64),
      Math.ceil(out.height / rowsOfThread(lowering)),
      out.batch,
    ],
    flops: resizeFlops(out, bilinear),
  });
}

function lowerMap({ lowering, input, result, out, bilinear, parameters }: Resize): void {
  const outVectors = out.width / 4;
  lowering.dispatch({
    kernel: {
      name: `resize2d/map-${bilinear ? 'bilinear' : 'nearest'}`,
      source: mapSource,
      constants: { BILINEAR: bilinear, ROWS: rowsOfThread(lowering) },
    },
    bindings: [input, result],
    parameters: { ...parameters, outVectors },
    workgroups: [Math.ceil(outVectors / 64), Math.ceil(out.height / rowsOfThread(lowering)), out.batch],
    flops: resizeFlops(out, bilinear),
  });
}

function lowerBlock({ lowering, input, result, out, parameters }: Resize): void {
  const { scaleY = 1, scaleX = 1 } = parameters;
  const outVectors = out.width / 4;
  const rows = 8;
  const sizes = { ROWS: rows, LINES: reach(rows, scaleY), REACH: reach(4, scaleX) };
  lowering.dispatch({
    kernel: {
      name: `resize2d/block-${scaleY}-${scaleX}`,
      source: unroll(blockSource, sizes),
      constants: { ...sizes, SCALE_Y: scaleY },
    },
    bindings: [input, result],
    parameters: { ...parameters, outVectors },
    workgroups: [Math.ceil(outVectors / 64), Math.ceil(out.height / rows), out.batch],
    flops: resizeFlops(out, true),
  });
}

function lowerSlide({ lowering, input, result, out, parameters }: Resize): void {
  const { scaleX = 1 } = parameters;
  const map = isMap(out);
  // Values are vectors: of pixels in a map, else of channels.
  const values = map ? { ...out, width: out.width / 4, channels: 4 } : out;
  const strips = subgroupStrips(lowering.adapter, values, packing(4));
  const { lanes } = strips;
  const sizes = { REACH: reach(map ? 4 : lanes, scaleX) };
  const source = [map ? slideMapSource : slideChannelsSource, stripsSource, slideSource].join('\n');
  lowering.dispatch({
    kernel: {
      name: `resize2d/slide-${map ? 'map' : 'channels'}-${sizes.REACH} lanes=${lanes}`,
      source: unroll(source, sizes),
      constants: { ...sizes, SUBGROUP: lanes },
      aliases: { Pixel: map ? 'f32' : 'vec4f' },
      enables: ['subgroups'],
    },
    bindings: [input, result],
    parameters: { ...parameters, ...strips.parameters, outWidth: values.width, channels: values.channels / 4 },
    workgroups: strips.workgroups,
    flops: resizeFlops(out, true),
  });
}

function resizeFlops({ batch, height, width, channels }: ImageShape, bilinear: boolean): number {
  return batch * height * width * channels * (bilinear ? 9 : 0);
}

const resize2dOperator: Operator<Resize2dOptions> = {
  name: 'resize2d',
  lower(node, lowering) {
    const [input] = node.inputs;
    const [result] = node.outputs;
    if (!input || !result) throw new Error('resize2d wants one input');
    const shape = imageShape('resize2d', input);
    const out = imageShape('resize2d', result);
    const { mode, alignCorners = false } = node.attributes;
    const along = (inputs: number, outputs: number): { scale: number; origin: number } =>
      mode === 'nearest'
        ? { scale: nearestScale(inputs, outputs), origin: 0 }
        : linearScale(inputs, outputs, alignCorners);
    const [vertical, horizontal] = [along(shape.height, out.height), along(shape.width, out.width)];
    const parameters = {
      height: shape.height,
      width: shape.width,
      outHeight: out.height,
      outWidth: out.width,
      scaleY: vertical.scale,
      scaleX: horizontal.scale,
      originY: vertical.origin,
      originX: horizontal.origin,
    };
    const resize = { lowering, input, result, shape, out, bilinear: mode === 'bilinear', parameters };
    const possible = resize2dVariants.filter((variant) => variant.applies(resize));
    // Shrinking, no input row serves two output rows: nothing to keep.
    const order = out.height > shape.height ? enlarging[lowering.adapter.class] : [];
    const [preferred = possible[0]] = order.flatMap((wanted) => possible.filter(({ name }) => name === wanted));
    if (!preferred) throw new Error('resize2d has no variant');
    const key = `${mode}-${input.shape.join('x')}-${out.height}x${out.width}`;
    const variant = lowering.choose('resize2d', key, possible, preferred);
    variant.lower(resize);
  },
  gradient(node, [gradient], graph) {
    const [input] = node.inputs;
    if (!gradient || !input) return [];
    const { height, width } = imageShape('resize2d', input);
    const { mode, alignCorners = false, ...out } = node.attributes;
    const bands = (inputs: number, outputs: number) =>
      transposeBands(mode === 'nearest' ? nearestBands(inputs, outputs) : linearBands(inputs, outputs, alignCorners));
    const rows = applyBands(graph, gradient, 'height', bands(height, out.height));
    return [applyBands(graph, rows, 'width', bands(width, out.width))];
  },
};

/**
 * Resizes images or feature maps.
 *
 * @param input `[batch, height, width, channels]`.
 * @returns `[batch, options.height, options.width, channels]`.
 */
export function resize2d(graph: Graph, input: Tensor, options: Resize2dOptions): Tensor {
  const { batch, height, width, channels } = imageShape('resize2d', input);
  const { mode, alignCorners = false, antialias = false } = options;
  if (mode === 'nearest' && (alignCorners || antialias)) {
    throw wrong('resize2d', 'alignCorners and antialias are for mode bilinear');
  }
  if (alignCorners && antialias) throw wrong('resize2d', 'antialias goes without alignCorners');
  if (options.height === height && options.width === width) return input;
  if (antialias && wholeFactor(height, options.height) && wholeFactor(width, options.width)) {
    return shrinkWhole(graph, input, options);
  }
  if (antialias && (options.height < height || options.width < width)) {
    // Along an axis that grows, antialiasing is plain interpolation.
    const columns =
      options.width === width ? input : applyBands(graph, input, 'width', antialiasBands(width, options.width));
    return options.height === height
      ? columns
      : applyBands(graph, columns, 'height', antialiasBands(height, options.height));
  }
  return graph.apply(resize2dOperator, [input], options, [batch, options.height, options.width, channels]);
}
