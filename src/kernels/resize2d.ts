import type { Graph, Operator, Tensor } from '../engine/graph.js';
import { applyBands } from './apply-bands.js';
import { antialiasBands, linearBands, linearScale, nearestBands, nearestScale, transposeBands } from './bands.js';
import source from './resize2d.wgsl';
import { imageShape, packing, wrong } from './shapes.js';

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

const resize2dOperator: Operator<Resize2dOptions> = {
  name: 'resize2d',
  lower(node, lowering) {
    const [input] = node.inputs;
    const [result] = node.outputs;
    if (!input || !result) throw new Error('resize2d wants one input');
    const { batch, height, width, channels } = imageShape('resize2d', input);
    const { height: outHeight, width: outWidth, mode, alignCorners = false } = node.attributes;
    const packed = packing(channels);
    const along = (inputs: number, outputs: number): { scale: number; origin: number } =>
      mode === 'nearest'
        ? { scale: nearestScale(inputs, outputs), origin: 0 }
        : linearScale(inputs, outputs, alignCorners);
    const [vertical, horizontal] = [along(height, outHeight), along(width, outWidth)];
    lowering.dispatch({
      kernel: {
        name: `resize2d/${mode}-${packed.suffix}`,
        source,
        constants: { BILINEAR: mode === 'bilinear' },
        aliases: packed.aliases,
      },
      bindings: [input, result],
      parameters: {
        height,
        width,
        channels: channels / packed.width,
        outWidth,
        scaleY: vertical.scale,
        scaleX: horizontal.scale,
        originY: vertical.origin,
        originX: horizontal.origin,
      },
      workgroups: [Math.ceil((outWidth * channels) / packed.width / 64), outHeight, batch],
      flops: batch * outHeight * outWidth * channels * (mode === 'bilinear' ? 9 : 0),
    });
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
