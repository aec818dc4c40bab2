import type { Shape } from '../../engine/tensor.js';

/**
 * Names and shapes of MobileNetV2 1.0 (Sandler et al. 2018, table 2), as torchvision names them. Kernels are OIHW, depthwise ones
 * `[channels, 1, 3, 3]`. ReLU6 follows every convolution except `project`, which is linear. A block with `residual` adds its input
 * to its output. All 3×3 kernels have one pixel of padding; at stride 2 the variant fact `padding` says on which sides:
 * `symmetric` (1,1,1,1) or `keras-same` (top 0, bottom 1, left 0, right 1).
 *
 * | torchvision          | Keras           | input | expansion | hidden | output | stride | residual | output is at stride |
 * | -------------------- | --------------- | ----- | --------- | ------ | ------ | ------ | -------- | ------------------- |
 * | `features.0` (stem)  | `Conv1`         | 3     |           |        | 32     | 2      |          | 2                   |
 * | `features.1`         | `expanded_conv` | 32    | 1         | 32     | 16     | 1      |          | 2                   |
 * | `features.2`         | `block_1`       | 16    | 6         | 96     | 24     | 2      |          | 4                   |
 * | `features.3`         | `block_2`       | 24    | 6         | 144    | 24     | 1      | yes      | 4                   |
 * | `features.4`         | `block_3`       | 24    | 6         | 144    | 32     | 2      |          | 8                   |
 * | `features.5`, `.6`   | `block_4`, `_5` | 32    | 6         | 192    | 32     | 1      | yes      | 8                   |
 * | `features.7`         | `block_6`       | 32    | 6         | 192    | 64     | 2      |          | 16                  |
 * | `features.8` … `.10` | `block_7` … `_9`| 64    | 6         | 384    | 64     | 1      | yes      | 16                  |
 * | `features.11`        | `block_10`      | 64    | 6         | 384    | 96     | 1      |          | 16                  |
 * | `features.12`, `.13` | `block_11`,`_12`| 96    | 6         | 576    | 96     | 1      | yes      | 16                  |
 * | `features.14`        | `block_13`      | 96    | 6         | 576    | 160    | 2      |          | 32                  |
 * | `features.15`, `.16` | `block_14`,`_15`| 160   | 6         | 960    | 160    | 1      | yes      | 32                  |
 * | `features.17`        | `block_16`      | 160   | 6         | 960    | 320    | 1      |          | 32                  |
 * | `features.18` (head) | `Conv_1`        | 320   |           |        | 1280   | 1      |          | 32                  |
 *
 * Within block N the convolutions are `features.N.conv.0.0` (expand), `.conv.1.0` (depthwise) and `.conv.2` (project), with their
 * batch norms at `.conv.0.1`, `.conv.1.1` and `.conv.3`; block 1 does not expand: `.conv.0.0` (depthwise) and `.conv.1` (project),
 * batch norms `.conv.0.1` and `.conv.2`. A convolution has `<name>.weight`, and either `<name>.bias` (batch norm folded) or a batch
 * norm with `.weight`, `.bias`, `.running_mean` and `.running_var`, whose epsilon is a variant fact (torchvision 1e-5, Keras 1e-3).
 *
 * Usual taps: before the depthwise of a stride-2 block (after expand and ReLU6) 144 channels at stride 4 (`features.4`), 192 at
 * stride 8 (`features.7`) and 576 at stride 16 (`features.14`); or block outputs 24 (`features.3`), 32 (`features.6`) and 96
 * (`features.13`).
 */
export interface MobileNetV2Block {
  /** N of `features.N`, 1–17. */
  readonly index: number;
  /** The block's name in Keras: `expanded_conv`, `block_1`, … */
  readonly keras: string;
  readonly input: number;
  readonly expansion: 1 | 6;
  /** Channels of the depthwise convolution: `input * expansion`. */
  readonly hidden: number;
  readonly output: number;
  readonly stride: 1 | 2;
  /** The block's input is added to its output. */
  readonly residual: boolean;
  /** Absent in the first block, which does not expand. */
  readonly expand: ConvolutionUnit | undefined;
  readonly depthwise: ConvolutionUnit;
  readonly project: ConvolutionUnit;
}

/** One convolution and its batch norm. */
export interface ConvolutionUnit {
  /** Name without `.weight` or `.bias`. */
  readonly conv: string;
  /** Name of the batch norm without `.weight`, `.bias`, `.running_mean`, `.running_var`. */
  readonly batchNorm: string;
  /** OIHW; a depthwise kernel is `[channels, 1, 3, 3]`. */
  readonly shape: readonly [number, number, number, number];
  readonly stride: 1 | 2;
  /** 1, or the channel count of a depthwise convolution. */
  readonly groups: number;
  readonly activation: 'relu6' | 'linear';
}

/** The first convolution, `features.0`. */
export const mobilenetV2Stem: ConvolutionUnit = {
  conv: 'features.0.0',
  batchNorm: 'features.0.1',
  shape: [32, 3, 3, 3],
  stride: 2,
  groups: 1,
  activation: 'relu6',
};

/** The last convolution, `features.18`, at stride 32. */
export const mobilenetV2Head: ConvolutionUnit = {
  conv: 'features.18.0',
  batchNorm: 'features.18.1',
  shape: [1280, 320, 1, 1],
  stride: 1,
  groups: 1,
  activation: 'relu6',
};

/** Rows of the paper's table 2: expansion, output channels, repeats, stride of the first repeat. */
const stages: readonly (readonly [1 | 6, number, number, 1 | 2])[] = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
];

/** The seventeen inverted residual blocks, `features.1` to `features.17`, in order. */
export const mobilenetV2Blocks: readonly MobileNetV2Block[] = buildBlocks();

/** Every convolution in the order of execution, the stem first; `lastFeature` (default 18) leaves out all behind `features.<lastFeature>`. */
export function mobilenetV2Units(lastFeature = 18): ConvolutionUnit[] {
  const units = [mobilenetV2Stem];
  for (const block of mobilenetV2Blocks) {
    if (block.index > lastFeature) break;
    if (block.expand) units.push(block.expand);
    units.push(block.depthwise, block.project);
  }
  if (lastFeature >= 18) units.push(mobilenetV2Head);
  return units;
}

/** Names and shapes of the tensors that units need, with the batch norms apart or folded into a bias. */
export function convolutionShapes(
  units: readonly ConvolutionUnit[],
  batchNorm: 'apart' | 'folded',
): Map<string, Shape> {
  const shapes = new Map<string, Shape>();
  for (const unit of units) {
    const channels: Shape = [unit.shape[0]];
    shapes.set(`${unit.conv}.weight`, unit.shape);
    if (batchNorm === 'folded') {
      shapes.set(`${unit.conv}.bias`, channels);
    } else {
      for (const part of batchNormParts) shapes.set(`${unit.batchNorm}.${part}`, channels);
    }
  }
  return shapes;
}

/** The four tensors of a batch norm, in torchvision's names. */
export const batchNormParts = ['weight', 'bias', 'running_mean', 'running_var'] as const;

function buildBlocks(): MobileNetV2Block[] {
  const blocks: MobileNetV2Block[] = [];
  let input = 32;
  for (const [expansion, output, repeats, firstStride] of stages) {
    for (let repeat = 0; repeat < repeats; repeat++) {
      blocks.push(buildBlock(blocks.length + 1, input, expansion, output, repeat === 0 ? firstStride : 1));
      input = output;
    }
  }
  return blocks;
}

function buildBlock(index: number, input: number, expansion: 1 | 6, output: number, stride: 1 | 2): MobileNetV2Block {
  const hidden = input * expansion;
  const name = `features.${index}.conv`;
  // The parts of a block are numbered; one that does not expand starts with its depthwise convolution.
  const first = expansion === 1 ? 0 : 1;
  return {
    index,
    keras: index === 1 ? 'expanded_conv' : `block_${index - 1}`,
    input,
    expansion,
    hidden,
    output,
    stride,
    residual: stride === 1 && input === output,
    expand: expansion === 1 ? undefined : unit(`${name}.0.0`, `${name}.0.1`, [hidden, input, 1, 1], 1, 1, 'relu6'),
    depthwise: unit(`${name}.${first}.0`, `${name}.${first}.1`, [hidden, 1, 3, 3], stride, hidden, 'relu6'),
    project: unit(`${name}.${first + 1}`, `${name}.${first + 2}`, [output, hidden, 1, 1], 1, 1, 'linear'),
  };
}

function unit(
  conv: string,
  batchNorm: string,
  shape: ConvolutionUnit['shape'],
  stride: 1 | 2,
  groups: number,
  activation: ConvolutionUnit['activation'],
): ConvolutionUnit {
  return { conv, batchNorm, shape, stride, groups, activation };
}
