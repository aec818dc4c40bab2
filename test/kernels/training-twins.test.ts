import { describe, expect, it } from 'vitest';
import { gradients } from '../../src/engine/gradients.js';
import type { Gpu } from '../../src/engine/gpu.js';
import type { Graph, Tensor } from '../../src/engine/graph.js';
import { elementCount, type HostTensor } from '../../src/engine/tensor.js';
import { batchNormTraining } from '../../src/kernels/batch-norm-training/batch-norm-training.js';
import { concat, slice } from '../../src/kernels/concat.js';
import { conv2d } from '../../src/kernels/conv2d/conv2d.js';
import { affineCoupling, mixChannels } from '../../src/kernels/coupling/coupling.js';
import { add, multiply } from '../../src/kernels/elementwise.js';
import { expand, expandChannels } from '../../src/kernels/expand.js';
import { layerNorm } from '../../src/kernels/layer-norm/layer-norm.js';
import { pool2d } from '../../src/kernels/pool2d.js';
import { reduce } from '../../src/kernels/reduce.js';
import { rowDot, scaleRows } from '../../src/kernels/rows.js';
import { testGpu } from '../gpu.js';
import couplingNaive from '../reference/affine-coupling-naive.wgsl';
import { absolute, array64, bounded, build64, exact, type Array64 } from '../reference/array64.js';
import { Tape, type Variable } from '../reference/autodiff.js';
import { convolutionWeightGradient64 } from '../reference/convolution.js';
import mixNaive from '../reference/mix-channels-naive.wgsl';
import poolNaive from '../reference/pool2d-gradient-naive.wgsl';
import rowsNaive from '../reference/rows-naive.wgsl';
import standardizeNaive from '../reference/standardize-naive.wgsl';
import { twin } from '../reference/twin.js';
import { expectWithin, randomTensor, runOperator, type Reference } from './harness.js';

/** A result that a kernel and its twin both compute. */
interface Part {
  readonly name: string;
  readonly kernel: (graph: Graph, inputs: readonly Tensor[]) => Tensor;
  readonly twin: (graph: Graph, inputs: readonly Tensor[]) => Tensor;
  readonly reference: Reference;
}

/** The gradient of Σ weights · output with respect to one input, by the operator's rule. */
function gradientOf(graph: Graph, output: Tensor, weights: Tensor, input: Tensor): Tensor {
  const loss = reduce(graph, multiply(graph, output, weights), { operation: 'sum', over: 'all' });
  const [found] = gradients(graph, loss, [input], add);
  if (!found) throw new Error('no gradient');
  return found;
}

/** Holds kernel, twin, and the kernel on a device with few workgroups a dimension against the reference. */
async function expectParts(inputs: readonly HostTensor[], parts: readonly Part[], few: number): Promise<void> {
  const gpu: Gpu = await testGpu();
  const limits = { ...gpu.profile.limits, maxComputeWorkgroupsPerDimension: few };
  for (const { name, kernel, twin: naive, reference } of parts) {
    for (const [how, build, adapter] of [
      ['kernel', kernel, gpu.profile],
      ['kernel in folded workgroups', kernel, { ...gpu.profile, limits }],
      ['twin', naive, gpu.profile],
    ] as const) {
      const [result] = await runOperator(gpu, inputs, (graph, tensors) => [build(graph, tensors)], { adapter });
      try {
        expectWithin(result?.data ?? new Float32Array(), reference);
      } catch (error) {
        throw new Error(`${name}, ${how}`, { cause: error });
      }
    }
  }
}

const at = <T>(values: readonly T[], index: number): T => {
  const value = values[index];
  if (value === undefined) throw new Error(`no value ${index}`);
  return value;
};
const number = (values: ArrayLike<number>, index: number): number => values[index] ?? NaN;

describe('normalisation in training', () => {
  const epsilon = 1e-5;

  /** Values and magnitudes of the four parts, from the f64 tape. */
  function references(
    kind: 'batchNorm' | 'layerNorm',
    inputs: readonly HostTensor[],
    groups: number,
    stride: number,
  ): Reference[] {
    const [x, flowing, weight, bias] = [0, 1, 2, 3].map((index) => array64(at(inputs, index)));
    if (!x || !flowing || !weight || !bias) throw new Error('four inputs');
    const tape = new Tape();
    const leaves = [x, weight, bias].map((each) => tape.variable(each)) as [Variable, Variable, Variable];
    const made = tape[kind](...leaves);
    tape.backward(tape.sum(tape.multiply(made, tape.variable(flowing))));

    const affine = weight.data.length;
    const size = x.data.length / groups;
    const groupOf = (index: number): number => Math.floor(index / stride) % groups;
    const moments = Array.from({ length: groups }, (_, group) => {
      const own = x.data.filter((_value, index) => groupOf(index) === group);
      const mean = own.reduce((sum, value) => sum + value, 0) / size;
      const variance = own.reduce((sum, value) => sum + (value - mean) ** 2, 0) / size;
      return { mean: Math.abs(mean), deviation: Math.sqrt(variance + epsilon) };
    });
    const spread = x.data.map((value, index) => {
      const { mean, deviation } = at(moments, groupOf(index));
      return (Math.abs(value) + mean) / deviation;
    });
    const g = flowing.data.map((value, index) => Math.abs(value * number(weight.data, index % affine)));
    const means = moments.map((_, group) => {
      let [plain, product] = [0, 0];
      g.forEach((value, index) => {
        if (groupOf(index) !== group) return;
        plain += value / size;
        product += (value * number(spread, index)) / size;
      });
      return { plain, product };
    });
    const summed = (value: (index: number) => number): Array64 => {
      const sums = new Float64Array(affine);
      x.data.forEach((_, index) => (sums[index % affine] = number(sums, index % affine) + value(index)));
      return { shape: weight.shape, data: sums };
    };
    const magnitudes = [
      build64(
        x.shape,
        (i) => number(spread, i) * Math.abs(number(weight.data, i % affine)) + Math.abs(number(bias.data, i % affine)),
      ),
      build64(x.shape, (i) => {
        const own = at(means, groupOf(i));
        return (number(g, i) + own.plain + number(spread, i) * own.product) / at(moments, groupOf(i)).deviation;
      }),
      summed((i) => Math.abs(number(flowing.data, i)) * number(spread, i)),
      summed((i) => Math.abs(number(flowing.data, i))),
    ];
    const values = [made, ...leaves.map((leaf) => ({ shape: leaf.shape, data: leaf.gradient }))];
    const terms = size + x.data.length / affine + 8;
    return magnitudes.map((magnitude, index) => bounded(at(values, index), magnitude, terms));
  }

  function parts(
    kind: 'batchNorm' | 'layerNorm',
    inputs: readonly HostTensor[],
    groups: number,
    stride: number,
    step: number,
  ): Part[] {
    const affine = elementCount(at(inputs, 2).shape);
    const size = elementCount(at(inputs, 0).shape) / groups;
    const forward = (graph: Graph, [x, , weight, bias]: readonly Tensor[]): Tensor => {
      if (!x || !weight || !bias) throw new Error('four inputs');
      if (kind === 'layerNorm') return layerNorm(graph, x, weight, bias, epsilon);
      const statistics = { mean: graph.parameter('mean', [affine]), variance: graph.parameter('variance', [affine]) };
      return batchNormTraining(graph, x, { weight, bias, ...statistics }, { epsilon });
    };
    const wanted = [0, 2, 3];
    return references(kind, inputs, groups, stride).map((reference, part) => ({
      name: at(['result', 'gradient of the input', 'of the weight', 'of the bias'], part),
      kernel: (graph, tensors) =>
        part === 0
          ? forward(graph, tensors)
          : gradientOf(graph, forward(graph, tensors), at(tensors, 1), at(tensors, at(wanted, part - 1))),
      twin: (graph, tensors) =>
        twin(
          graph,
          'standardize',
          standardizeNaive,
          tensors,
          { part, groups, size, stride, step, affine, epsilon },
          at(inputs, part < 2 ? 0 : 2).shape,
        ),
      reference,
    }));
  }

  for (const shape of [
    [1, 1, 1, 1],
    [2, 3, 5, 3],
    [5, 13, 17, 4],
    [1, 1, 4, 70],
  ]) {
    it(`by the batch, [${shape.join(', ')}]`, async () => {
      const channels = at(shape, 3);
      const inputs = [shape, shape, [channels], [channels]].map((each, index) => randomTensor(each, 20 + index));
      await expectParts(inputs, parts('batchNorm', inputs, channels, 1, channels), 9);
    });
  }

  // The third has more than one block of 2048 elements an image.
  for (const shape of [
    [1, 1, 1, 1],
    [2, 3, 5, 3],
    [3, 30, 11, 8],
    [7, 1, 1, 5],
  ]) {
    it(`by the layer, [${shape.join(', ')}]`, async () => {
      const inner = shape.slice(1);
      const length = elementCount(inner);
      const inputs = [shape, shape, inner, inner].map((each, index) => randomTensor(each, 30 + index));
      await expectParts(inputs, parts('layerNorm', inputs, at(shape, 0), length, 1), 41);
    });
  }
});

describe('coupling', () => {
  for (const [rows, channels] of [
    [1, 1],
    [35, 3],
    [67, 8],
  ] as const) {
    it(`affine, ${rows} rows of ${channels} channels`, async () => {
      const [narrow, wide] = [
        [rows, channels],
        [rows, 2 * channels],
      ];
      const inputs = [narrow, wide, narrow, narrow].map((each, index) =>
        randomTensor(each, 40 + index, index === 1 ? 20 : 1),
      );
      const [x, said, yFlow, sFlow] = inputs.map((each) => each.data);
      if (!x || !said || !yFlow || !sFlow) throw new Error('four inputs');
      const element = (index: number): { t: number; stretched: number } => {
        const place = Math.floor(index / channels) * 2 * channels + (index % channels);
        const t = Math.tanh(0.1 * number(said, place));
        return { t, stretched: number(yFlow, index) * Math.exp(2 * t) };
      };
      const values = [
        build64(narrow, (i) => {
          const place = Math.floor(i / channels) * 2 * channels + channels + (i % channels);
          return number(x, i) * Math.exp(2 * element(i).t) + 0.1 * number(said, place);
        }),
        build64(narrow, (i) => 2 * element(i).t),
        build64(narrow, (i) => element(i).stretched),
        build64(wide, (i) => {
          const [row, column] = [Math.floor(i / (2 * channels)), i % (2 * channels)];
          const own = row * channels + (column % channels);
          const { t, stretched } = element(own);
          if (column >= channels) return 0.1 * number(yFlow, own);
          return (stretched * number(x, own) + number(sFlow, own)) * 0.2 * (1 - t * t);
        }),
      ];
      const names = ['y', 's', 'gradient of x', 'gradient of what the network said'];
      await expectParts(
        inputs,
        values.map((value, part) => ({
          name: at(names, part),
          kernel: (graph, tensors) => {
            const { y, s } = affineCoupling(graph, at(tensors, 0), at(tensors, 1));
            if (part < 2) return part === 0 ? y : s;
            const flowing = concat(graph, [at(tensors, 2), at(tensors, 3)]);
            return gradientOf(graph, concat(graph, [y, s]), flowing, at(tensors, part - 2));
          },
          twin: (graph, tensors) =>
            twin(graph, 'affine-coupling', couplingNaive, tensors, { part, channels }, value.shape),
          // exp and tanh are as exact as the device's own, a few units in the last place.
          reference: bounded(
            value,
            build64(value.shape, (i) => 8 + Math.abs(number(value.data, i))),
            16,
          ),
        })),
        5,
      );
    });
  }

  for (const [rows, first, second] of [
    [1, 1, 1],
    [70, 3, 2],
    [333, 4, 4],
  ] as const) {
    it(`mixing, ${rows} rows of ${first} and ${second} channels`, async () => {
      const channels = first + second;
      const order = Array.from({ length: channels }, (_, i) => (i * (channels - 1) + 1) % channels);
      expect(new Set(order).size).toBe(channels);
      const inputs = [
        ...[[rows, channels], [rows, channels], [channels], [channels]].map((each, i) => randomTensor(each, 50 + i)),
        { shape: [channels], data: Float32Array.from(order) },
      ];
      const [input, flow, scale, shift] = inputs.map(array64);
      if (!input || !flow || !scale || !shift) throw new Error('four inputs');
      const compute = (x: Array64, g: Array64, s: Array64, b: Array64): Array64[] => {
        const place = (row: number, channel: number): number => row * channels + order.indexOf(channel);
        const summed = (factor: (row: number, channel: number) => number): Array64 =>
          build64([channels], (channel) => {
            let sum = 0;
            for (let row = 0; row < rows; row++) sum += number(g.data, place(row, channel)) * factor(row, channel);
            return sum;
          });
        return [
          build64([rows, channels], (i) => {
            const from = at(order, i % channels);
            const value = number(x.data, Math.floor(i / channels) * channels + from);
            return value * number(s.data, from) + number(b.data, from);
          }),
          build64([rows, channels], (i) => {
            const channel = i % channels;
            return number(g.data, place(Math.floor(i / channels), channel)) * number(s.data, channel);
          }),
          summed((row, channel) => number(x.data, row * channels + channel)),
          summed(() => 1),
        ];
      };
      const values = compute(input, flow, scale, shift);
      const magnitudes = compute(absolute(input), absolute(flow), absolute(scale), absolute(shift));
      await expectParts(
        inputs,
        values.map((value, part) => ({
          name: at(['result', 'gradient of the input', 'of the scale', 'of the shift'], part),
          kernel: (graph, tensors) => {
            const halves = [slice(graph, at(tensors, 0), 0, first), slice(graph, at(tensors, 0), first, channels)];
            const pair = [at(halves, 0), at(halves, 1)] as const;
            const mixed = concat(graph, mixChannels(graph, pair, at(tensors, 2), at(tensors, 3), order));
            return part === 0 ? mixed : gradientOf(graph, mixed, at(tensors, 1), at(tensors, at([0, 2, 3], part - 1)));
          },
          twin: (graph, tensors) =>
            twin(graph, 'mix-channels', mixNaive, tensors, { part, rows, channels }, value.shape),
          reference: bounded(value, at(magnitudes, part), rows + 4),
        })),
        7,
      );
    });
  }
});

describe('rows', () => {
  for (const [rows, length] of [
    [1, 1],
    [67, 5],
    [129, 8],
  ] as const) {
    it(`${rows} of ${length}`, async () => {
      const [left, right, factors] = [
        randomTensor([rows, length], 60),
        randomTensor([rows, length], 61),
        randomTensor([rows], 62),
      ];
      const product = build64([rows, length], (i) => number(left.data, i) * number(right.data, i));
      const sums = (x: Array64): Array64 =>
        build64([rows], (row) => x.data.slice(row * length, (row + 1) * length).reduce((a, b) => a + b, 0));
      const scaled = build64(
        [rows, length],
        (i) => number(left.data, i) * number(factors.data, Math.floor(i / length)),
      );
      const spread = build64([rows, length], (i) => 0.5 * number(factors.data, Math.floor(i / length)));
      const channels = build64([rows, length], (i) => number(right.data, i % length));
      const naive =
        (
          operation: number,
          pick: readonly number[],
          shape: readonly number[],
          more: Readonly<Record<string, number>>,
        ) =>
        (graph: Graph, tensors: readonly Tensor[]): Tensor =>
          twin(
            graph,
            'rows',
            rowsNaive,
            pick.map((each) => at(tensors, each)),
            { operation, length, values: 1, scale: 1, ...more },
            shape,
          );
      await expectParts(
        [left, right, factors],
        [
          {
            name: 'dot',
            kernel: (graph, tensors) => rowDot(graph, at(tensors, 0), at(tensors, 1)),
            twin: naive(0, [0, 1], [rows], {}),
            reference: bounded(sums(product), sums(absolute(product)), length + 1),
          },
          {
            name: 'scale',
            kernel: (graph, tensors) => scaleRows(graph, at(tensors, 0), at(tensors, 2)),
            twin: naive(1, [0, 2], [rows, length], {}),
            reference: bounded(scaled, absolute(scaled), 1),
          },
          {
            name: 'one number a group',
            kernel: (graph, tensors) => expand(graph, at(tensors, 2), [rows, length], 0.5),
            twin: naive(2, [2, 2], [rows, length], { values: rows, scale: 0.5 }),
            reference: exact(spread),
          },
          {
            name: 'one number a channel',
            kernel: (graph, tensors) =>
              expandChannels(graph, graph.reshape(slice(graph, at(tensors, 1), 0, 1, 0), [length]), [rows, length]),
            twin: naive(2, [1, 1], [rows, length], { length: 1, values: length }),
            reference: exact(channels),
          },
        ],
        5,
      );
    });
  }
});

describe('pooling', () => {
  for (const mode of ['max', 'average'] as const) {
    for (const [shape, kernel, stride, padding] of [
      [[1, 1, 1, 1], 1, 1, 0],
      [[2, 7, 5, 3], 3, 2, 1],
      [[1, 13, 17, 8], 3, 1, 1],
      [[3, 6, 4, 4], 2, 2, 0],
    ] as const) {
      it(`gradient of ${mode} ${kernel}/${stride} of [${shape.join(', ')}]`, async () => {
        const [, height, width, channels] = shape;
        const outSize = (size: number): number => Math.floor((size + 2 * padding - kernel) / stride) + 1;
        const [outHeight, outWidth] = [outSize(height), outSize(width)];
        const image = randomTensor(shape, 70);
        const flowing = randomTensor([shape[0], outHeight, outWidth, channels], 71);
        const scatter = (g: ArrayLike<number>): Array64 => {
          const made = build64(shape, () => 0);
          for (let i = 0; i < g.length; i++) {
            const [c, ox] = [i % channels, Math.floor(i / channels) % outWidth];
            const [oy, b] = [
              Math.floor(i / channels / outWidth) % outHeight,
              Math.floor(i / channels / outWidth / outHeight),
            ];
            const pixels: number[] = [];
            for (let y = oy * stride - padding; y < oy * stride - padding + kernel; y++) {
              for (let x = ox * stride - padding; x < ox * stride - padding + kernel; x++) {
                if (y >= 0 && x >= 0 && y < height && x < width)
                  pixels.push(((b * height + y) * width + x) * channels + c);
              }
            }
            const best = pixels.reduce(
              (a, p) => (number(image.data, p) > number(image.data, a) ? p : a),
              at(pixels, 0),
            );
            for (const p of mode === 'max' ? [best] : pixels) {
              made.data[p] = number(made.data, p) + number(g, i) / (mode === 'max' ? 1 : kernel ** 2);
            }
          }
          return made;
        };
        await expectParts(
          [image, flowing],
          [
            {
              name: 'gradient',
              kernel: (graph, [x, g]) => {
                if (!x || !g) throw new Error('two inputs');
                return gradientOf(graph, pool2d(graph, x, { mode, kernel, stride, padding }), g, x);
              },
              twin: (graph, tensors) =>
                twin(
                  graph,
                  'pool2d-gradient',
                  poolNaive,
                  tensors,
                  {
                    height,
                    width,
                    channels,
                    outHeight,
                    outWidth,
                    kernel,
                    stride,
                    padding,
                    average: mode === 'max' ? 0 : 1,
                  },
                  shape,
                ),
              reference: bounded(scatter(flowing.data), scatter(flowing.data.map(Math.abs)), kernel ** 2 + 2),
            },
          ],
          65_535,
        );
      });
    }
  }
});

describe('gradient of convolution weights', () => {
  it('is the same however few bytes the device binds for its partial sums', async () => {
    const gpu = await testGpu();
    const [x, weight, flowing] = [
      randomTensor([3, 9, 7, 4], 80),
      randomTensor([3, 3, 4, 8], 81),
      randomTensor([3, 9, 7, 8], 82),
    ];
    const options = { padding: 1 } as const;
    const compute = (a: Array64, g: Array64): Array64 => convolutionWeightGradient64(a, weight.shape, g, options);
    const reference = bounded(
      compute(array64(x), array64(flowing)),
      compute(absolute(array64(x)), absolute(array64(flowing))),
      3 * 9 * 7,
    );
    // Of the weights, of two slices of partial sums, and of what the largest tensor takes.
    for (const bytes of [elementCount(flowing.shape) * 4, 2 * elementCount(weight.shape) * 4 + 4096, 2 ** 27]) {
      const limits = { ...gpu.profile.limits, maxStorageBufferBindingSize: bytes };
      const [result] = await runOperator(
        gpu,
        [x, weight, flowing],
        (graph, [input, kernel, g]) => {
          if (!input || !kernel || !g) throw new Error('three inputs');
          return [gradientOf(graph, conv2d(graph, input, kernel, options), g, kernel)];
        },
        { adapter: { ...gpu.profile, limits } },
      );
      expectWithin(result?.data ?? new Float32Array(), reference);
    }
  });
});
