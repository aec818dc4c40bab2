import { elementCount } from '../../src/engine/tensor.js';
import { conv2d } from '../../src/kernels/conv2d/conv2d.js';
import { conv2dShape, type Conv2dOptions } from '../../src/kernels/conv2d/shape.js';
import { matmul } from '../../src/kernels/matmul/matmul.js';
import { referenceConv2d } from '../../test/reference/conv2d.js';
import { referenceMatmul } from '../../test/reference/matmul.js';
import { builder, bytesOf, times, type OperatorCase } from './case.js';

/** A convolution; its values are checked at batch 1. */
export function convolution(
  kernel: string,
  size: number,
  inputs: number,
  outputs: number,
  side: number,
  options: Conv2dOptions = {},
  batch = 1,
): OperatorCase {
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

export function product(rows: number, inner: number, columns: number): OperatorCase {
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
