import { foldWorkgroups } from '../engine/kernel.js';
import type { Graph, Operator, Tensor } from '../engine/graph.js';
import { elementCount } from '../engine/tensor.js';
import source from './normalize-image.wgsl';
import { imageShape, wrong } from './shapes.js';

/** What a network expects of its input: an 8-bit value v of channel c becomes `(v · scale − mean[c]) / std[c]`. */
export interface NormalizeImageOptions {
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** 1/255 for networks trained on 0–1, 1 for those trained on 0–255. Default 1/255. */
  readonly scale?: number;
  /** Order of the result's channels, and of `mean` and `std`; pixels are always RGB. Default `rgb`. */
  readonly channelOrder?: 'rgb' | 'bgr';
}

const normalizeImageOperator: Operator<Required<NormalizeImageOptions>> = {
  name: 'normalize-image',
  lower(node, lowering) {
    const [pixels] = node.inputs;
    const [result] = node.outputs;
    if (!pixels || !result) throw new Error('normalize-image wants one input');
    const { mean, std, scale, channelOrder } = node.attributes;
    const vectors = Math.ceil(elementCount(result.shape) / 4);
    const hardware = lowering.adapter.class === 'hardware';
    const items = hardware && vectors < 2 ** 20 ? 1 : 4;
    const parameters: Record<string, number> = { vectors };
    for (let channel = 0; channel < 3; channel++) {
      parameters[`scale${channel}`] = scale / (std[channel] ?? 1);
      parameters[`shift${channel}`] = -(mean[channel] ?? 0) / (std[channel] ?? 1);
    }
    lowering.dispatch({
      kernel: {
        name: `normalize-image/${channelOrder}-${items}`,
        source,
        constants: { REVERSE: channelOrder === 'bgr', ITEMS: items, STEP: hardware ? 64 : 1 },
      },
      bindings: [pixels, result],
      parameters,
      workgroups: foldWorkgroups(
        Math.ceil(vectors / items / 64),
        lowering.adapter.limits.maxComputeWorkgroupsPerDimension,
      ),
      flops: 2 * elementCount(result.shape),
    });
  },
};

/**
 * Turns 8-bit RGB pixels into a network's input.
 *
 * @param pixels `[batch, height, width, 3]` of dtype `u8x4`: bytes without gaps, rows and images may start inside a word.
 * @returns `[batch, height, width, 3]`, f32.
 */
export function normalizeImage(graph: Graph, pixels: Tensor, options: NormalizeImageOptions): Tensor {
  const { channels } = imageShape('normalize-image', pixels);
  if (channels !== 3 || pixels.dtype !== 'u8x4') {
    throw wrong('normalize-image', `wants 3 channels of u8x4, got ${channels} of ${pixels.dtype}`);
  }
  const { mean, std, scale = 1 / 255, channelOrder = 'rgb' } = options;
  if (mean.length !== 3 || std.length !== 3 || !std.every((value) => value > 0)) {
    throw wrong('normalize-image', 'wants a mean and a positive standard deviation for each of 3 channels');
  }
  return graph.apply(normalizeImageOperator, [pixels], { mean, std, scale, channelOrder }, pixels.shape);
}
