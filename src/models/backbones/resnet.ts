import type { Graph, Tensor } from '../../engine/graph.js';
import type { Shape } from '../../engine/tensor.js';
import { add, relu } from '../../kernels/elementwise.js';
import { pool2d } from '../../kernels/pool2d.js';
import { batchNormPlacement, checkWeights } from '../weights/check-weights.js';
import { convolutionShapes, type ConvolutionUnit } from '../weights/mobilenet-v2-layout.js';
import { torchvisionVariant, type BackboneWeights, type NetworkVariant } from '../weights/network-weights.js';
import type { Backbone, BackboneLayer } from './backbone.js';
import { convolutionUnit } from './convolution-unit.js';

/** ResNets (He et al. 2015) that there are graphs for. */
export type ResnetName = 'resnet18' | 'resnet50' | 'wide-resnet50-2';

/** In what the networks differ. */
interface ResnetLayout {
  /** Blocks of layer1 to layer4. */
  readonly blocks: readonly [number, number, number, number];
  /** Three convolutions a block, 1×1, 3×3 and 1×1, instead of two of 3×3. */
  readonly bottleneck: boolean;
  /** Channels between the convolutions of a bottleneck, relative to a quarter of its output. */
  readonly widening: number;
}

const layouts: Readonly<Record<ResnetName, ResnetLayout>> = {
  resnet18: { blocks: [2, 2, 2, 2], bottleneck: false, widening: 1 },
  resnet50: { blocks: [3, 4, 6, 3], bottleneck: true, widening: 1 },
  'wide-resnet50-2': { blocks: [3, 4, 6, 3], bottleneck: true, widening: 2 },
};

/** A residual block: its convolutions in order, and the one that brings the input to the output's shape. */
interface Block {
  readonly convolutions: readonly ConvolutionUnit[];
  readonly downsample: ConvolutionUnit | undefined;
}

interface Stage {
  readonly layer: BackboneLayer;
  readonly blocks: readonly Block[];
}

const stem: ConvolutionUnit = unit('conv1', 'bn1', 64, 3, 7, 2);

/**
 * A ResNet. Its layers `layer1` to `layer3` (and `layer4` where the weights have it) are the outputs of the residual stages,
 * after their ReLU, at strides 4, 8, 16 and 32.
 *
 * @param weights undefined when only planning.
 * @param where the weights' file, for messages.
 * @throws TilesightError `input` when the weights are not those of the network.
 */
export function createResnet(
  name: ResnetName,
  weights: BackboneWeights | undefined,
  where = weights?.provenance ?? '',
): Backbone {
  const variant = weights?.variant ?? torchvisionVariant;
  const stages = resnetStages(layouts[name], variant);
  const deepest = weights && !weights.tensors.has('layer4.0.conv1.weight') ? 3 : 4;
  const offered = stages.slice(0, deepest);
  if (weights) checkWeights(weights, resnetShapes(offered, weights), name, where);
  const source = { name, weights };

  const residualBlock = (graph: Graph, input: Tensor, block: Block): Tensor => {
    const shortcut = block.downsample ? convolutionUnit(graph, source, input, block.downsample) : input;
    let x = input;
    block.convolutions.forEach((convolution, index) => {
      if (index > 0) x = relu(graph, x);
      x = convolutionUnit(graph, source, x, convolution);
    });
    return relu(graph, add(graph, x, shortcut));
  };

  return {
    name,
    layers: offered.map((stage) => stage.layer),
    weights,
    build(graph, image, wanted) {
      const outputs = new Map<string, Tensor>();
      let x = relu(graph, convolutionUnit(graph, source, image, stem));
      const pooling = variant.stemPool === 'padded' ? { padding: 1 } : { padding: 0, ceil: true };
      x = pool2d(graph, x, { mode: 'max', kernel: 3, stride: 2, ...pooling });
      for (const { layer, blocks } of offered) {
        if (outputs.size === new Set(wanted).size) break;
        for (const block of blocks) x = residualBlock(graph, x, block);
        if (wanted.includes(layer.name)) outputs.set(layer.name, x);
      }
      return wanted.flatMap((wantedName) => outputs.get(wantedName) ?? []);
    },
  };
}

/** Names and shapes of a ResNet's tensors up to `lastLayer`, batch norm as in the given weights or apart. */
export function resnetTensorShapes(
  name: ResnetName,
  lastLayer: 1 | 2 | 3 | 4,
  batchNorm: 'apart' | 'folded',
): Map<string, Shape> {
  return convolutionShapes(units(resnetStages(layouts[name], torchvisionVariant).slice(0, lastLayer)), batchNorm);
}

function resnetShapes(stages: readonly Stage[], weights: BackboneWeights): Map<string, Shape> {
  return convolutionShapes(units(stages), batchNormPlacement(weights.tensors));
}

function units(stages: readonly Stage[]): ConvolutionUnit[] {
  const blocks = stages.flatMap((stage) => stage.blocks);
  return [stem, ...blocks.flatMap((block) => [...block.convolutions, ...(block.downsample ? [block.downsample] : [])])];
}

function resnetStages(layout: ResnetLayout, variant: NetworkVariant): Stage[] {
  let input = 64;
  return layout.blocks.map((count, index): Stage => {
    const planes = 64 * 2 ** index;
    const output = layout.bottleneck ? planes * 4 : planes;
    const blocks: Block[] = [];
    for (let repeat = 0; repeat < count; repeat++) {
      const stride = repeat === 0 && index > 0 ? 2 : 1;
      const name = `layer${index + 1}.${repeat}`;
      const convolution = (number: number, out: number, from: number, kernel: number, step: 1 | 2): ConvolutionUnit =>
        unit(`${name}.conv${number}`, `${name}.bn${number}`, out, from, kernel, step);
      const width = planes * layout.widening;
      const first = variant.bottleneckStride === '1x1' ? stride : 1;
      const second = variant.bottleneckStride === '1x1' ? 1 : stride;
      const convolutions = layout.bottleneck
        ? [
            convolution(1, width, input, 1, first),
            convolution(2, width, width, 3, second),
            convolution(3, output, width, 1, 1),
          ]
        : [convolution(1, planes, input, 3, stride), convolution(2, planes, planes, 3, 1)];
      const changes = stride !== 1 || input !== output;
      const downsample = changes
        ? unit(`${name}.downsample.0`, `${name}.downsample.1`, output, input, 1, stride)
        : undefined;
      blocks.push({ convolutions, downsample });
      input = output;
    }
    return { layer: { name: `layer${index + 1}`, channels: output, stride: 4 * 2 ** index }, blocks };
  });
}

function unit(
  conv: string,
  batchNorm: string,
  outChannels: number,
  inChannels: number,
  kernel: number,
  stride: 1 | 2,
): ConvolutionUnit {
  const shape = [outChannels, inChannels, kernel, kernel] as const;
  return { conv, batchNorm, shape, stride, groups: 1, activation: 'linear' };
}
