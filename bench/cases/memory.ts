import { Graph } from '../../src/engine/graph.js';
import { elementCount } from '../../src/engine/tensor.js';
import { add, relu } from '../../src/kernels/elementwise.js';
import { gaussianBlur } from '../../src/kernels/gaussian-blur.js';
import { mahalanobis } from '../../src/kernels/mahalanobis/mahalanobis.js';
import { updateMoments } from '../../src/kernels/moments/moments.js';
import { normalizeImage } from '../../src/kernels/normalize-image.js';
import { pool2d, type Pool2dOptions } from '../../src/kernels/pool2d.js';
import { packedTriangle } from '../../src/kernels/position-chunks.js';
import { resize2d } from '../../src/kernels/resize2d.js';
import { absolute, array64, bounded, build64, image64, pixel } from '../../test/reference/array64.js';
import { gaussianBlurReference } from '../../test/reference/gaussian-blur.js';
import { resize2dReference } from '../../test/reference/resize2d.js';
import { builder, bytesOf, times, type OperatorCase } from './case.js';

export function gaussians(images: number, positions: number, dimensions: number): OperatorCase {
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

export function moments(images: number, positions: number, dimensions: number): OperatorCase {
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

export function blur(size: number, sigma: number): OperatorCase {
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

export function resize(from: number, to: number, channels: number, batch = 1): OperatorCase {
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

export function shrink(from: number, to: number, channels: number, batch = 1): OperatorCase {
  const { graph, parameter } = builder('shrink');
  const input = parameter('image', [batch, from, from, channels]);
  const options = { mode: 'bilinear', antialias: true, height: to, width: to } as const;
  const output = graph.output(resize2d(graph, input.tensor, options));
  const taps = (2 * from) / to;
  return {
    kernel: 'resize antialiased',
    shape: `${times(batch)}${channels} @${from}²→${to}²`,
    operator: 'resize2d-antialias',
    graph,
    flops: 2 * taps * batch * channels * to * (from + to),
    bytes: bytesOf(input.host.shape, output.shape),
    bound: 'memory',
    outputs: [output],
  };
}

export function pool(options: Pool2dOptions, size: number, channels: number, batch = 1): OperatorCase {
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

export function normalize(size: number, batch: number): OperatorCase {
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

export function elementwise(kernel: 'add' | 'relu', count: number): OperatorCase {
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
