import type { Gpu } from '../src/engine/gpu.js';
import { Graph, type Tensor } from '../src/engine/graph.js';
import type { Program } from '../src/engine/program.js';
import type { HostTensor, Shape } from '../src/engine/tensor.js';
import { elementCount } from '../src/engine/tensor.js';
import { conv2d } from '../src/kernels/conv2d/conv2d.js';
import { conv2dShape, type Conv2dOptions } from '../src/kernels/conv2d/shape.js';
import { declareKCentre, kCentreSteps } from '../src/kernels/coreset/k-centre.js';
import { lowerDistances } from '../src/kernels/coreset/lower.js';
import { declareRows, rowGroup, type RowSet } from '../src/kernels/coreset/rows.js';
import { add, relu } from '../src/kernels/elementwise.js';
import { gaussianBlur } from '../src/kernels/gaussian-blur.js';
import { mahalanobis } from '../src/kernels/mahalanobis/mahalanobis.js';
import { matmul } from '../src/kernels/matmul/matmul.js';
import { updateMoments } from '../src/kernels/moments/moments.js';
import { nearest } from '../src/kernels/nearest/nearest.js';
import { packedTriangle } from '../src/kernels/position-chunks.js';
import { normalizeImage } from '../src/kernels/normalize-image.js';
import { pool2d, type Pool2dOptions } from '../src/kernels/pool2d.js';
import { resize2d } from '../src/kernels/resize2d.js';
import { referenceConv2d } from '../test/reference/conv2d.js';
import { gaussianBlurReference } from '../test/reference/gaussian-blur.js';
import { kCentreReference } from '../test/reference/k-centre.js';
import { referenceMatmul } from '../test/reference/matmul.js';
import { nearestReference } from '../test/reference/nearest.js';
import { absolute, array64, bounded, build64, image64, pixel } from '../test/reference/array64.js';
import type { Reference } from '../test/kernels/harness.js';
import { resize2dReference } from '../test/reference/resize2d.js';
import { randomNumbers } from './random.js';

/** One operator at one shape: all its variants are measured. */
export interface KernelCase {
  readonly kernel: string;
  readonly shape: string;
  /** The operator whose variants are forced; undefined where it has only one. */
  readonly operator: string | undefined;
  readonly graph: Graph;
  /** Arithmetic of the plain algorithm, a multiply-add counted as two. */
  readonly flops: number;
  /** Bytes that must be read and written at least. */
  readonly bytes: number;
  /** Which roof bounds it on most adapters, for the summary. */
  readonly bound: 'arithmetic' | 'memory';
  /** Outputs, or parameters that are updated. */
  readonly outputs: readonly Tensor[];
  /** How often one run does it: times are of one. */
  readonly repeats?: number;
  /** Shape of the matrix product of the same sizes, which a search is compared with. */
  readonly sameSizes?: string;
  /** f64 values of the first elements of the first output, with the bounds of 32-bit sums. */
  readonly reference?: () => Reference;
  readonly prepare?: (program: Program) => Promise<void>;
}

interface Builder {
  readonly graph: Graph;
  readonly parameter: (name: string, shape: Shape, scale?: number) => { tensor: Tensor; host: HostTensor };
}

function builder(name: string): Builder {
  const graph = new Graph(name);
  let seed = 1;
  return {
    graph,
    parameter(label, shape, scale = 1) {
      const host = lazyTensor(shape, seed++, scale);
      return { tensor: graph.parameter(label, shape, { contents: () => host }), host };
    },
  };
}

const bytesOf = (...shapes: readonly Shape[]): number =>
  shapes.reduce((sum, shape) => sum + 4 * elementCount(shape), 0);

const times = (batch: number): string => (batch > 1 ? `${batch}×` : '');

/** A convolution; its values are checked at batch 1. */
function convolution(
  kernel: string,
  size: number,
  inputs: number,
  outputs: number,
  side: number,
  options: Conv2dOptions = {},
  batch = 1,
): KernelCase {
  const { graph, parameter } = builder(kernel);
  const groups = options.groups ?? 1;
  const input = parameter('input', [batch, size, size, inputs]);
  const weight = parameter('weight', [side, side, inputs / groups, outputs]);
  const all = { padding: (side - 1) >> 1, ...options };
  const shape = conv2dShape(input.tensor.shape, weight.tensor.shape, all);
  // A stride larger than the kernel skips pixels.
  const seen = Math.min(size, shape.outHeight * side);
  const output = graph.output(conv2d(graph, input.tensor, weight.tensor, all));
  return {
    kernel,
    shape: `${times(batch)}${inputs}→${outputs} @${size}²`,
    operator: 'conv2d',
    graph,
    flops: 2 * elementCount(output.shape) * side * side * (inputs / groups),
    bytes: bytesOf([batch, seen, seen, inputs], weight.host.shape, output.shape),
    bound: groups > 1 ? 'memory' : 'arithmetic',
    outputs: [output],
    ...(batch === 1 && { reference: () => referenceConv2d(shape, input.host, weight.host) }),
  };
}

function product(rows: number, inner: number, columns: number): KernelCase {
  const { graph, parameter } = builder('GEMM');
  const a = parameter('a', [rows, inner]);
  const b = parameter('b', [inner, columns]);
  const output = graph.output(matmul(graph, a.tensor, b.tensor));
  const shape = { batch: 1, rows, columns, inner, transposeA: false, transposeB: false };
  return {
    kernel: 'GEMM',
    shape: `${rows}×${inner}×${columns}`,
    operator: 'matmul',
    graph,
    flops: 2 * rows * inner * columns,
    bytes: bytesOf(a.host.shape, b.host.shape, output.shape),
    bound: 'arithmetic',
    outputs: [output],
    // The first rows, which say as much as all.
    reference: () => {
      const few = Math.min(rows, 32);
      const some = { shape: [few, inner], data: a.host.data.subarray(0, few * inner) };
      return referenceMatmul({ ...shape, rows: few }, some, b.host);
    },
  };
}

function neighbours(queries: number, rows: number, elements: number): KernelCase {
  const { graph, parameter } = builder('k-NN');
  const query = parameter('queries', [queries, elements]);
  const bank = parameter('bank', [rows, elements]);
  const { distances } = nearest(graph, query.tensor, bank.tensor, { k: 1 });
  graph.output(distances);
  return {
    kernel: 'k-NN',
    shape: `${queries} of ${rows}×${elements}`,
    sameSizes: `${queries}×${elements}×${rows}`,
    operator: 'nearest',
    graph,
    flops: 2 * queries * rows * elements,
    bytes: bytesOf(query.host.shape, bank.host.shape, distances.shape),
    bound: 'arithmetic',
    outputs: [distances],
    reference: () => {
      const found = Array.from({ length: Math.min(8, queries) }, (_, index) => {
        const row = query.host.data.subarray(index * elements, (index + 1) * elements);
        const { squares, order } = nearestReference(row, bank.host.data, elements);
        return Math.sqrt(squares[order[0] ?? 0] ?? 0);
      });
      const values = Float64Array.from(found);
      return { values, bounds: values.map((value) => 2 * elements * 2 ** -24 * value) };
    },
  };
}

/** Random numbers that are drawn when they are first looked at: a case that is left out costs nothing. */
function lazyTensor(shape: Shape, seed: number, scale: number): HostTensor {
  let drawn: Float32Array | undefined;
  return {
    shape,
    get data() {
      return (drawn ??= randomNumbers(elementCount(shape), seed, scale));
    },
  };
}

/** Bytes of what a caller fills by name before the first run. */
async function fill(program: Program, tensor: Tensor, data: Float32Array): Promise<void> {
  await program.pool.write(tensor.name, { shape: tensor.shape, data });
}

/** Rows of points as the coreset's kernels store them (see `project.wgsl`), from the start of their memory. */
function unblocked(blocks: Float32Array, rows: number, elements: number): Float32Array {
  return Float32Array.from({ length: rows * elements }, (_, index) => {
    const [row, k] = [Math.floor(index / elements), index % elements];
    const block = Math.floor(row / 64) * 64 * elements;
    return blocks[block + ((k >> 2) * 64 + (row % 64)) * 4 + (k & 3)] ?? 0;
  });
}

/** Random points: their tensors, and what fills them. */
function randomPoints(
  graph: Graph,
  gpu: Gpu,
  rows: number,
  elements: number,
): { points: RowSet; contents: readonly HostTensor[]; fillPoints: (program: Program) => Promise<void> } {
  const points = declareRows(graph, 'points', rows, elements, gpu.profile, 'coreset');
  const contents = points.tensors.map(({ shape }, index) => lazyTensor(shape, 100 + index, 1));
  return {
    points,
    contents,
    fillPoints: async (program) => {
      for (const [index, tensor] of points.tensors.entries()) {
        await fill(program, tensor, contents[index]?.data ?? new Float32Array());
      }
    },
  };
}

function coreset(gpu: Gpu, rows: number, elements: number, centres: number): KernelCase {
  const { graph, parameter } = builder('coreset');
  const { points, contents, fillPoints } = randomPoints(graph, gpu, rows, elements);
  const centre = parameter('centres', [centres, elements]);
  const minimum = graph.parameter('minimum', [Math.ceil(rows / rowGroup) * rowGroup]);
  const count = graph.parameter('count', [1], { dtype: 'u32' });
  lowerDistances(graph, points, centre.tensor, count, minimum);
  return {
    kernel: 'coreset distances',
    shape: `${rows}×${elements} to ${centres}`,
    operator: 'lower-distances',
    graph,
    flops: 3 * rows * elements * centres,
    bytes: bytesOf([rows, elements], [centres, elements], [rows], [rows]),
    bound: 'arithmetic',
    outputs: [minimum],
    reference: () => {
      const some = Math.min(64, rows);
      const near = unblocked(contents[0]?.data ?? new Float32Array(), some, elements);
      const values = Float64Array.from({ length: some }, (_, row) => {
        const { squares, order } = nearestReference(
          near.subarray(row * elements, (row + 1) * elements),
          centre.host.data,
          elements,
        );
        return squares[order[0] ?? 0] ?? 0;
      });
      return { values, bounds: values.map((value) => 2 * elements * 2 ** -24 * value) };
    },
    prepare: async (program) => {
      await fillPoints(program);
      await fill(program, count, Float32Array.of(centres));
      await fill(program, minimum, new Float32Array(elementCount(minimum.shape)).fill(3e38));
    },
  };
}

/** The greedy k-centre over all points: a pick reads them once. */
function kCentrePicks(gpu: Gpu, rows: number, elements: number, picks: number): KernelCase {
  const { graph } = builder('k-centre');
  const { points, contents, fillPoints } = randomPoints(graph, gpu, rows, elements);
  if (points.tensors.length > 1) throw new Error('the reference looks at one tensor of points');
  const state = declareKCentre(graph, 'k-centre', points, picks, gpu.profile, 'coreset');
  kCentreSteps(graph, points, state, picks);
  return {
    kernel: 'k-centre pick',
    shape: `of ${rows}×${elements}`,
    operator: undefined,
    graph,
    repeats: picks,
    flops: 3 * rows * elements,
    bytes: bytesOf([rows, elements], [rows], [rows]),
    bound: 'memory',
    outputs: [state.picks],
    // From the first run, which begins with point 0; as far as a pick leads the second-best by more than rounding.
    reference: () => {
      const { picks: exact, leads } = kCentreReference(
        unblocked(contents[0]?.data ?? new Float32Array(), rows, elements),
        elements,
        picks,
        0,
      );
      const doubtful = leads.findIndex((lead) => lead < elements * 2 ** -22);
      const sure = exact.slice(0, doubtful < 0 ? picks : doubtful);
      return { values: Float64Array.from(sure), bounds: new Float64Array(sure.length) };
    },
    prepare: async (program) => {
      await fillPoints(program);
      const distances = new Float32Array(elementCount(state.minimum.shape)).fill(1e38);
      distances[0] = 3e38;
      await fill(program, state.minimum, distances);
      await fill(program, state.start, Float32Array.of(0, 0, 0, picks, 0, 0, 0, 0));
    },
  };
}

function gaussians(images: number, positions: number, dimensions: number): KernelCase {
  const { graph, parameter } = builder('Mahalanobis');
  const features = parameter('features', [images, positions, dimensions]);
  const mean = parameter('mean', [positions, dimensions]);
  const triangle = packedTriangle(dimensions);
  const factor = parameter('factor', [positions, triangle]);
  const output = graph.output(mahalanobis(graph, features.tensor, mean.tensor, factor.tensor));
  return {
    kernel: 'Mahalanobis',
    shape: `${images}×${positions}×${dimensions}`,
    operator: 'mahalanobis',
    graph,
    flops: 2 * images * positions * triangle,
    bytes: bytesOf(features.host.shape, mean.host.shape, factor.host.shape, output.shape),
    bound: 'memory',
    outputs: [output],
    reference: () => {
      const count = Math.min(64, positions);
      const values = new Float64Array(count);
      const bounds = new Float64Array(count);
      for (let position = 0; position < count; position++) {
        let squares = 0;
        let magnitude = 0;
        for (let row = 0; row < dimensions; row++) {
          let sum = 0;
          let size = 0;
          for (let column = 0; column <= row; column++) {
            const at = position * dimensions + column;
            const x = (features.host.data[at] ?? 0) - (mean.host.data[at] ?? 0);
            const product = (factor.host.data[position * triangle + packedTriangle(row) + column] ?? 0) * x;
            sum += product;
            size += Math.abs(product);
          }
          squares += sum * sum;
          magnitude += size * size;
        }
        values[position] = Math.sqrt(squares);
        bounds[position] = 2 * dimensions * 2 ** -24 * Math.sqrt(magnitude);
      }
      return { values, bounds };
    },
  };
}

function moments(images: number, positions: number, dimensions: number): KernelCase {
  const { graph, parameter } = builder('moments');
  const features = parameter('features', [images, positions, dimensions]);
  const valid = graph.parameter('valid', [1], { contents: () => ({ shape: [1], data: Float32Array.of(images) }) });
  const triangle = packedTriangle(dimensions);
  updateMoments(graph, features.tensor, valid, {
    mean: graph.parameter('mean', [positions, dimensions]),
    comoment: graph.parameter('comoment', [positions, triangle]),
    seen: graph.parameter('seen', [1]),
  });
  return {
    kernel: 'moments',
    shape: `${images}×${positions}×${dimensions}`,
    operator: 'moments',
    graph,
    flops: 2 * images * positions * triangle,
    bytes: bytesOf(features.host.shape, [positions, dimensions], [positions, dimensions]) + 8 * positions * triangle,
    bound: 'memory',
    outputs: [],
  };
}

function blur(size: number, sigma: number): KernelCase {
  const { graph, parameter } = builder('blur');
  const input = parameter('map', [1, size, size, 1]);
  const output = graph.output(gaussianBlur(graph, input.tensor, { sigma }));
  return {
    kernel: `blur σ ${sigma}`,
    shape: `${size}²`,
    operator: 'gaussian-blur',
    graph,
    flops: 4 * size * size * (2 * Math.trunc(4 * sigma + 0.5) + 1),
    bytes: bytesOf(input.host.shape, output.shape),
    bound: 'memory',
    outputs: [output],
    // The first outputs of the first line, from the corner of the map that they see.
    reference: () => {
      const taps = 2 * Math.trunc(4 * sigma + 0.5) + 1;
      const count = Math.min(64, size);
      const whole = array64(input.host);
      const [height, width] = [Math.min(size, taps), Math.min(size, count + taps)];
      const corner = image64([1, height, width, 1], (_, y, x) => pixel(whole, 0, y, x, 0));
      const { values, bounds } = bounded(
        gaussianBlurReference(corner, sigma),
        gaussianBlurReference(absolute(corner), sigma),
        2 * taps + 8,
      );
      return { values: values.subarray(0, count), bounds: bounds.subarray(0, count) };
    },
  };
}

function resize(from: number, to: number, channels: number, batch = 1): KernelCase {
  const { graph, parameter } = builder('resize');
  const input = parameter('map', [batch, from, from, channels]);
  const options = { mode: 'bilinear', height: to, width: to } as const;
  const output = graph.output(resize2d(graph, input.tensor, options));
  return {
    kernel: 'resize bilinear',
    shape: `${times(batch)}${channels} @${from}²→${to}²`,
    operator: 'resize2d',
    graph,
    flops: 9 * elementCount(output.shape),
    bytes: bytesOf(input.host.shape, output.shape),
    bound: 'memory',
    outputs: [output],
    // The outputs of the first line that lie between the pixels of the map's corner.
    reference: () => {
      const side = Math.min(from, 16);
      const whole = array64(input.host);
      const corner = image64([1, side, side, channels], (_, y, x, c) => pixel(whole, 0, y, x, c));
      const enlarged = (side * to) / from;
      const count = (enlarged - to / from) * channels;
      // Positions are computed in f32: a weight is off by up to the rounding of the largest position.
      const { values, bounds } = bounded(
        resize2dReference(corner, { ...options, height: enlarged, width: enlarged }),
        build64([1, enlarged, enlarged, channels], () => 1),
        2 * from + 8,
      );
      return { values: values.subarray(0, count), bounds: bounds.subarray(0, count) };
    },
  };
}

function shrink(from: number, to: number, channels: number, batch = 1): KernelCase {
  const { graph, parameter } = builder('shrink');
  const input = parameter('image', [batch, from, from, channels]);
  const options = { mode: 'bilinear', antialias: true, height: to, width: to } as const;
  const output = graph.output(resize2d(graph, input.tensor, options));
  const taps = (2 * from) / to;
  return {
    kernel: 'resize antialiased',
    shape: `${times(batch)}${channels} @${from}²→${to}²`,
    operator: undefined,
    graph,
    flops: 2 * taps * batch * channels * to * (from + to),
    bytes: bytesOf(input.host.shape, output.shape),
    bound: 'memory',
    outputs: [output],
  };
}

function pool(options: Pool2dOptions, size: number, channels: number, batch = 1): KernelCase {
  const { graph, parameter } = builder('pool');
  const input = parameter('input', [batch, size, size, channels]);
  const output = graph.output(pool2d(graph, input.tensor, options));
  return {
    kernel: `${options.mode} pool ${options.kernel}×${options.kernel} s${options.stride}`,
    shape: `${times(batch)}${channels} @${size}²`,
    operator: 'pool2d',
    graph,
    flops: elementCount(output.shape) * options.kernel ** 2,
    bytes: bytesOf(input.host.shape, output.shape),
    bound: 'memory',
    outputs: [output],
  };
}

function normalize(size: number, batch: number): KernelCase {
  const graph = new Graph('normalize');
  const pixels = graph.parameter('pixels', [batch, size, size, 3], { dtype: 'u8x4' });
  const options = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
  const output = graph.output(normalizeImage(graph, pixels, options));
  return {
    kernel: 'normalize image',
    shape: `${times(batch)}3 @${size}²`,
    operator: undefined,
    graph,
    flops: 2 * elementCount(output.shape),
    bytes: 5 * elementCount(output.shape),
    bound: 'memory',
    outputs: [output],
  };
}

function elementwise(kernel: 'add' | 'relu', count: number): KernelCase {
  const { graph, parameter } = builder(kernel);
  const left = parameter('left', [count]);
  const right = kernel === 'add' ? parameter('right', [count]) : left;
  const output = graph.output(kernel === 'add' ? add(graph, left.tensor, right.tensor) : relu(graph, left.tensor));
  const value = (a: number, b: number): number => (kernel === 'add' ? a + b : Math.max(a, 0));
  return {
    kernel,
    shape: `${count}`,
    operator: undefined,
    graph,
    flops: count,
    bytes: bytesOf([count], [count]) + (kernel === 'add' ? 4 * count : 0),
    bound: 'memory',
    outputs: [output],
    reference: () => {
      const first = left.host.data.subarray(0, 2 ** 20);
      const values = Float64Array.from(first, (a, index) => value(a, right.host.data[index] ?? 0));
      return { values, bounds: values.map((exact) => 2 ** -23 * Math.abs(exact) + 1e-37) };
    },
  };
}

/** What fills a large device and its caches: layers of a batch of tiles, large maps. On small ones the launch is what counts. */
function largeCases(): (() => KernelCase)[] {
  return [
    () => convolution('conv 3×3 s1', 64, 64, 64, 3, {}, 16),
    () => convolution('conv 3×3 s1', 32, 128, 128, 3, {}, 16),
    () => convolution('conv 3×3 s1', 16, 256, 256, 3, {}, 16),
    () => convolution('conv 3×3 s2', 64, 64, 128, 3, { stride: 2 }, 16),
    () => convolution('conv 7×7 s2', 256, 3, 64, 7, { stride: 2 }, 16),
    () => convolution('conv 1×1', 64, 24, 144, 1, {}, 16),
    () => convolution('conv 1×1', 16, 576, 96, 1, {}, 16),
    () => product(4096, 1024, 1024),
    () => convolution('conv 3×3 s1 depthwise', 64, 144, 144, 3, { groups: 144 }, 32),
    () => convolution('conv 3×3 s1 depthwise', 16, 576, 576, 3, { groups: 576 }, 32),
    () => convolution('conv 3×3 s2 depthwise', 64, 144, 144, 3, { groups: 144, stride: 2 }, 32),
    () => gaussians(16, 4096, 100),
    () => blur(4096, 4),
    () => resize(1024, 4096, 1),
    () => resize(16, 64, 256, 32),
    () => shrink(512, 256, 3, 64),
    () => pool({ mode: 'max', kernel: 3, stride: 2, padding: 1 }, 128, 64, 32),
    () => pool({ mode: 'average', kernel: 3, stride: 1, padding: 1 }, 64, 64, 128),
    () => normalize(256, 256),
    () => elementwise('add', 2 ** 26),
    () => elementwise('relu', 2 ** 26),
  ];
}

/** What is measured: the shapes of the real backbones at 256² and of the models' own operators, or tiny ones. */
export function kernelCases(gpu: Gpu, tiny: boolean): (() => KernelCase)[] {
  if (tiny) {
    return [
      () => convolution('conv 3×3 s1', 8, 8, 8, 3),
      () => convolution('conv 3×3 s1 depthwise', 8, 8, 8, 3, { groups: 8 }),
      () => product(16, 32, 24),
      () => product(8, 16, 64),
      () => neighbours(8, 64, 16),
      () => coreset(gpu, 256, 16, 8),
      () => kCentrePicks(gpu, 256, 16, 4),
      () => gaussians(1, 16, 8),
      () => moments(2, 16, 8),
      () => blur(32, 4),
      () => resize(8, 32, 1),
      () => shrink(32, 8, 3),
      () => pool({ mode: 'max', kernel: 3, stride: 2, padding: 1 }, 8, 8),
      () => normalize(8, 2),
      () => elementwise('add', 1024),
    ];
  }
  return [
    () => convolution('conv 3×3 s1', 64, 64, 64, 3),
    () => convolution('conv 3×3 s1', 32, 128, 128, 3),
    () => convolution('conv 3×3 s1', 16, 256, 256, 3),
    () => convolution('conv 3×3 s2', 64, 64, 128, 3, { stride: 2 }),
    () => convolution('conv 1×1 s2', 64, 64, 128, 1, { stride: 2 }),
    () => convolution('conv 1×1', 64, 24, 144, 1),
    () => convolution('conv 1×1', 64, 256, 64, 1),
    () => convolution('conv 1×1', 16, 576, 96, 1),
    () => convolution('conv 7×7 s2', 256, 3, 64, 7, { stride: 2 }),
    () => convolution('conv 3×3 s1 depthwise', 64, 144, 144, 3, { groups: 144 }),
    () => convolution('conv 3×3 s1 depthwise', 16, 576, 576, 3, { groups: 576 }),
    () => convolution('conv 3×3 s2 depthwise', 64, 144, 144, 3, { groups: 144, stride: 2 }),
    () => product(512, 1024, 576),
    ...(gpu.profile.class === 'hardware' ? largeCases() : []),
    () => product(784, 384, 2048),
    () => neighbours(784, 2048, 384),
    () => product(784, 1536, 2048),
    () => neighbours(784, 2048, 1536),
    () => coreset(gpu, 16_384, 128, 256),
    () => kCentrePicks(gpu, 163_840, 128, 16),
    () => gaussians(1, 4096, 100),
    () => gaussians(8, 4096, 100),
    () => moments(8, 4096, 100),
    () => blur(256, 4),
    () => blur(1024, 4),
    () => resize(64, 256, 1),
    () => resize(16, 64, 256),
    () => shrink(512, 256, 3),
    () => pool({ mode: 'max', kernel: 3, stride: 2, padding: 1 }, 128, 64),
    () => pool({ mode: 'average', kernel: 3, stride: 1, padding: 1 }, 64, 64),
    () => normalize(256, 8),
    () => elementwise('add', 2 ** 22),
    () => elementwise('relu', 2 ** 22),
  ];
}
