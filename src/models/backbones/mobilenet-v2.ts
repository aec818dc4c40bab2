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
  /** N of the block `features.N` whose expansion it is. */
  readonly block: number;
}

/**
 * The deepest tensor of each stride: what the block that halves the resolution next expands its input to, after ReLU6. On
 * MVTec AD bottle these gave PaDiM a better map than the narrow block outputs before them (24, 32 and 96 channels): AUPRO
 * 0.893 to 0.828 at 128×128.
 */
const taps: readonly Tap[] = [
  { name: 'layer1', channels: 144, stride: 4, block: 4 },
  { name: 'layer2', channels: 192, stride: 8, block: 7 },
  { name: 'layer3', channels: 576, stride: 16, block: 14 },
];

/** Every convolution up to the last tap. */
export function mobilenetV2BackboneUnits(): ConvolutionUnit[] {
  const last = mobilenetV2Blocks.find((block) => block.index === 14)?.expand;
  return [...mobilenetV2Units(13), ...(last ? [last] : [])];
}

/**
 * MobileNetV2 1.0 (Sandler et al. 2018). Its layers `layer1` to `layer3`, at strides 4, 8 and 16, are the expansions in
 * `features.4`, `.7` and `.14`, of 144, 192 and 576 channels.
 *
 * @param weights undefined when only planning.
 * @param where the weights' file, for messages.
 * @throws TilesightError `input` when the weights are not those of the network.
 */
export function createMobilenetV2(weights: BackboneWeights | undefined, where = weights?.provenance ?? ''): Backbone {
  const name = 'mobilenet-v2';
  if (weights) {
    const expected = convolutionShapes(mobilenetV2BackboneUnits(), batchNormPlacement(weights.tensors));
    checkWeights(weights, expected, name, where);
  }
  const source = { name, weights };
  const append = (graph: Graph, input: Tensor, unit: ConvolutionUnit): Tensor => {
    const x = convolutionUnit(graph, source, input, unit);
    return unit.activation === 'relu6' ? relu6(graph, x) : x;
  };
  return {
    name,
    layers: taps.map(({ name: layer, channels, stride }) => ({ name: layer, channels, stride })),
    weights,
    build(graph, image, wanted) {
      const outputs = new Map<string, Tensor>();
      const missing = new Set(wanted);
      let x = append(graph, image, mobilenetV2Stem);
      for (const block of mobilenetV2Blocks) {
        if (missing.size === 0) break;
        const expanded = block.expand ? append(graph, x, block.expand) : x;
        const tap = taps.find((candidate) => candidate.block === block.index);
        if (tap && missing.delete(tap.name)) outputs.set(tap.name, expanded);
        if (missing.size === 0) break;
        const projected = append(graph, append(graph, expanded, block.depthwise), block.project);
        x = block.residual ? add(graph, projected, x) : projected;
      }
      return wanted.flatMap((layer) => outputs.get(layer) ?? []);
    },
  };
}
