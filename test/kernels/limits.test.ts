import { describe, expect, it } from 'vitest';
import { assumedAdapter, defaultLimits } from '../../src/engine/adapter.js';
import { TilesightError } from '../../src/engine/errors.js';
import { Graph, type Tensor } from '../../src/engine/graph.js';
import { compile } from '../../src/engine/plan.js';
import { argmax } from '../../src/kernels/argmax.js';
import { channelSum } from '../../src/kernels/channel-sum.js';
import { concat, split } from '../../src/kernels/concat.js';
import { add } from '../../src/kernels/elementwise.js';
import { gatherChannels, gatherFeatures } from '../../src/kernels/gather-channels.js';
import { gaussianBlur } from '../../src/kernels/gaussian-blur.js';
import { normalizeImage } from '../../src/kernels/normalize-image.js';
import { pool2d } from '../../src/kernels/pool2d.js';
import { reduce } from '../../src/kernels/reduce.js';
import { resize2d } from '../../src/kernels/resize2d.js';

const operators: Record<string, (graph: Graph, image: Tensor) => Tensor> = {
  add: (graph, image) => add(graph, image, image),
  argmax: (graph, image) => argmax(graph, image).index,
  channelSum,
  concat: (graph, image) => concat(graph, [image, image]),
  gatherChannels: (graph, image) => gatherChannels(graph, image, [1]),
  gatherFeatures: (graph, image) => gatherFeatures(graph, [image], { height: 16, width: 16, channels: [2, 1] }),
  gaussianBlur: (graph, image) => gaussianBlur(graph, image, { sigma: 1 }),
  pool2d: (graph, image) => pool2d(graph, image, { mode: 'max', kernel: 3, stride: 2 }),
  reduce: (graph, image) => reduce(graph, image, { operation: 'sum', over: 'all' }),
  'resize2d up': (graph, image) => resize2d(graph, image, { height: 32, width: 32, mode: 'bilinear' }),
  'resize2d down': (graph, image) => resize2d(graph, image, { height: 8, width: 8, mode: 'bilinear', antialias: true }),
  split: (graph, image) => split(graph, image, [1, 3])[1] ?? image,
};

/** Compiles one operator for a device that binds at most so many bytes at once. */
function compileWithin(bytes: number, build: (graph: Graph) => Tensor): void {
  const graph = new Graph('test');
  graph.output(build(graph));
  compile(graph, { adapter: { ...assumedAdapter, limits: { ...defaultLimits, maxStorageBufferBindingSize: bytes } } });
}

describe('tensors larger than the device binds', () => {
  for (const [name, build] of Object.entries(operators)) {
    it(`${name} refuses them in one line that says what to do`, () => {
      const image = (graph: Graph): Tensor => build(graph, graph.input('image', [2, 16, 16, 4]));
      expect(() => compileWithin(4096, image)).toThrow(TilesightError);
      expect(() => compileWithin(4096, image)).toThrow(
        /^kernel .* the device binds at most 4.00 KiB: use a smaller tile or batch$/,
      );
      expect(() => compileWithin(2 ** 20, image)).not.toThrow();
    });
  }

  it('normalizeImage refuses them too', () => {
    const build = (graph: Graph): Tensor =>
      normalizeImage(graph, graph.input('pixels', [1, 16, 16, 3], 'u8x4'), { mean: [0, 0, 0], std: [1, 1, 1] });
    expect(() => compileWithin(1024, build)).toThrow(/the device binds at most 1.00 KiB: use a smaller tile or batch/);
  });
});
