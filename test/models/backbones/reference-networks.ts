import type { BackboneWeights } from '../../../src/models/weights/network-weights.js';
import { sizes, type Array64 } from '../../reference/array64.js';
import { addReference, batchNormReference, clampReference, convolutionReference } from '../../reference/network.js';
import { pool2dReference } from '../../reference/pool2d.js';

/** Convolution and its batch norm, which is found by its name beside the convolution's. */
function unit(weights: BackboneWeights, x: Array64, conv: string, norm: string, stride: number, groups = 1): Array64 {
  const tensor = (name: string) => {
    const found = weights.tensors.get(name);
    if (!found) throw new Error(`the reference misses ${name}`);
    return found;
  };
  const kernel = tensor(`${conv}.weight`);
  const size = kernel.shape[2] ?? 1;
  const [, height, width] = sizes(x);
  const around = (length: number): [number, number] => {
    if (weights.variant.padding === 'symmetric' || stride === 1) return [(size - 1) / 2, (size - 1) / 2];
    // TensorFlow's SAME: as little padding as gives ceil(length / stride) outputs, the odd pixel behind.
    const total = length % stride === 0 ? Math.max(size - stride, 0) : Math.max(size - (length % stride), 0);
    return [Math.floor(total / 2), Math.ceil(total / 2)];
  };
  const [top, bottom] = around(height);
  const [left, right] = around(width);
  const bias = weights.tensors.get(`${conv}.bias`)?.data;
  const y = convolutionReference(x, kernel, bias, { stride, padding: [top, bottom, left, right], groups });
  if (!weights.tensors.has(`${norm}.running_mean`)) return y;
  const parts = {
    weight: tensor(`${norm}.weight`).data,
    bias: tensor(`${norm}.bias`).data,
    mean: tensor(`${norm}.running_mean`).data,
    variance: tensor(`${norm}.running_var`).data,
  };
  return batchNormReference(y, parts, weights.variant.batchNormEpsilon);
}

/** Outputs of the first `layers` stages of a ResNet, as torchvision's forward pass is written. */
export function resnetReference(weights: BackboneWeights, image: Array64, layers: number): Array64[] {
  let x = clampReference(unit(weights, image, 'conv1', 'bn1', 2));
  x = pool2dReference(x, {
    mode: 'max',
    kernel: 3,
    stride: 2,
    ...(weights.variant.stemPool === 'padded' ? { padding: 1 } : { padding: 0, ceil: true }),
  });
  const outputs: Array64[] = [];
  for (let layer = 1; layer <= layers; layer++) {
    for (let block = 0; weights.tensors.has(`layer${layer}.${block}.conv1.weight`); block++) {
      const name = `layer${layer}.${block}`;
      const stride = layer > 1 && block === 0 ? 2 : 1;
      const conv = (input: Array64, n: number, step: number): Array64 =>
        unit(weights, input, `${name}.conv${n}`, `${name}.bn${n}`, step);
      const down = weights.tensors.has(`${name}.downsample.0.weight`);
      const shortcut = down ? unit(weights, x, `${name}.downsample.0`, `${name}.downsample.1`, stride) : x;
      let y: Array64;
      if (weights.tensors.has(`${name}.conv3.weight`)) {
        const caffe = weights.variant.bottleneckStride === '1x1';
        y = clampReference(conv(x, 1, caffe ? stride : 1));
        y = clampReference(conv(y, 2, caffe ? 1 : stride));
        y = conv(y, 3, 1);
      } else {
        y = conv(clampReference(conv(x, 1, stride)), 2, 1);
      }
      x = clampReference(addReference(y, shortcut));
    }
    outputs.push(x);
  }
  return outputs;
}

/** Expansions of the blocks `features.4`, `.7` and `.14` of MobileNetV2, by the table of its paper. */
export function mobilenetV2Reference(weights: BackboneWeights, image: Array64): Array64[] {
  const outputs: Array64[] = [];
  let x = clampReference(unit(weights, image, 'features.0.0', 'features.0.1', 2), 6);
  const table = [
    [1, 16, 1, 1],
    [6, 24, 2, 2],
    [6, 32, 3, 2],
    [6, 64, 4, 2],
    [6, 96, 3, 1],
    [6, 160, 3, 2],
    [6, 320, 1, 1],
  ] as const;
  let block = 0;
  for (const [expansion, channels, repeats, firstStride] of table) {
    for (let repeat = 0; repeat < repeats; repeat++) {
      block += 1;
      const stride = repeat === 0 ? firstStride : 1;
      const input = x;
      const prefix = `features.${block}.conv`;
      let part = 0;
      if (expansion > 1) {
        x = clampReference(unit(weights, x, `${prefix}.0.0`, `${prefix}.0.1`, 1), 6);
        part = 1;
        if ([4, 7, 14].includes(block)) outputs.push(x);
        if (block === 14) return outputs;
      }
      x = clampReference(unit(weights, x, `${prefix}.${part}.0`, `${prefix}.${part}.1`, stride, x.shape[3]), 6);
      x = unit(weights, x, `${prefix}.${part + 1}`, `${prefix}.${part + 2}`, 1);
      if (stride === 1 && input.shape[3] === channels) x = addReference(x, input);
    }
  }
  return outputs;
}
