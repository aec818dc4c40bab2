import type { Graph, Tensor } from '../../engine/graph.js';
import { add, relu6 } from '../../kernels/elementwise.js';
import { batchNormPlacement, checkWeights } from '../weights/check-weights.js';
import {
  convolutionShapes,
  mobilenetV2Blocks,
  mobilenetV2Stem,
  mobilenetV2Units,
  type ConvolutionUnit,
} from '../weights/mobilenet-v2-layout.js';
import type { BackboneWeights } from '../weights/network-weights.js';
import type { Backbone, BackboneLayer } from './backbone.js';
import { convolutionUnit } from './convolution-unit.js';

interface Tap extends BackboneLayer {
  /** N of the block `features.N` whose output it is. */
  readonly block: number;
}

/** The deepest block of each stride. */
const taps: readonly Tap[] = [
  { name: 'layer1', channels: 24, stride: 4, block: 3 },
  { name: 'layer2', channels: 32, stride: 8, block: 6 },
  { name: 'layer3', channels: 96, stride: 16, block: 13 },
  { name: 'layer4', channels: 320, stride: 32, block: 17 },
];

/**
 * MobileNetV2 1.0 (Sandler et al. 2018). Its layers `layer1` to `layer3` (and `layer4` where the weights have it) are the
 * outputs, without activation, of the deepest block at strides 4, 8, 16 and 32: `features.3`, `.6`, `.13` and `.17`.
 *
 * @param weights undefined when only planning.
 * @param where the weights' file, for messages.
 * @throws TilesightError `input` when the weights are not those of the network.
 */
export function createMobilenetV2(weights: BackboneWeights | undefined, where = weights?.provenance ?? ''): Backbone {
  const name = 'mobilenet-v2';
  const whole = !weights || weights.tensors.has('features.17.conv.2.weight');
  const offered = whole ? taps : taps.slice(0, 3);
  const lastBlock = offered.at(-1)?.block ?? 0;
  if (weights) {
    const expected = convolutionShapes(mobilenetV2Units(lastBlock), batchNormPlacement(weights.tensors));
    checkWeights(weights, expected, name, where);
  }
  const source = { name, weights };
  const append = (graph: Graph, input: Tensor, unit: ConvolutionUnit): Tensor => {
    const x = convolutionUnit(graph, source, input, unit);
    return unit.activation === 'relu6' ? relu6(graph, x) : x;
  };
  return {
    name,
    layers: offered.map(({ name: layer, channels, stride }) => ({ name: layer, channels, stride })),
    weights,
    build(graph, image, wanted) {
      const outputs = new Map<string, Tensor>();
      let x = append(graph, image, mobilenetV2Stem);
      for (const block of mobilenetV2Blocks) {
        if (outputs.size === new Set(wanted).size || block.index > lastBlock) break;
        const expanded = block.expand ? append(graph, x, block.expand) : x;
        const projected = append(graph, append(graph, expanded, block.depthwise), block.project);
        x = block.residual ? add(graph, projected, x) : projected;
        const tap = offered.find((candidate) => candidate.block === block.index);
        if (tap && wanted.includes(tap.name)) outputs.set(tap.name, x);
      }
      return wanted.flatMap((layer) => outputs.get(layer) ?? []);
    },
  };
}
