import type { AdapterProfile } from '../../engine/adapter.js';
import { foldWorkgroups, type Kernel } from '../../engine/kernel.js';
import epilogueSource from '../epilogue.wgsl';
import { imageShape, packing } from '../shapes.js';
import { subgroupStrips, takesSubgroupStrips } from '../strips.js';
import stripsSource from '../subgroup-strips.wgsl';
import { longestLoop, stripLoopsOf, unroll, type MemoryLoops } from '../unroll.js';
import stripOneSource from './depthwise-strip-1.wgsl';
import stripTwoSource from './depthwise-strip-2.wgsl';
import subgroupOneSource from './depthwise-subgroup-1.wgsl';
import subgroupTwoSource from './depthwise-subgroup-2.wgsl';
import subgroupSource from './depthwise-subgroup.wgsl';
import stripSource from './depthwise-strip.wgsl';
import plainSource from './depthwise.wgsl';
import { conv2dFlops, isDepthwise, type Conv2dShape } from './shape.js';
import { shapeParameters, type Conv2dCall, type Conv2dVariant } from './variant.js';

const aliases = { Element: 'vec4f' };
const plainKernel: Kernel = { name: 'conv2d/depthwise', source: `${plainSource}\n${epilogueSource}`, aliases };

/** Output columns of a strip; the kernels' WIDTH. */
const stripWidth = 4;

function stripKernel(stride: number, memoryLoops: MemoryLoops, residual: boolean): Kernel {
  const source = `${stripSource}\n${stride === 1 ? stripOneSource : stripTwoSource}`;
  return {
    name: `conv2d/depthwise-strip-${stride}${residual ? '-residual' : ''}`,
    source: `${unroll(source, {}, memoryLoops)}\n${epilogueSource}`,
    aliases,
    constants: { TAKES_RESIDUAL: residual },
  };
}

const stripKernels = new Map(
  (['keep', 'unroll'] as const).flatMap((loops) =>
    [1, 2].flatMap((stride) =>
      [true, false].map(
        (residual) => [`${stride} ${loops} ${residual}`, stripKernel(stride, loops, residual)] as const,
      ),
    ),
  ),
);

function takesFours(shape: Conv2dShape): boolean {
  return isDepthwise(shape) && shape.inChannels % 4 === 0;
}

function stripsFit({ kernelHeight, kernelWidth, strideY, strideX, dilationY, dilationX }: Conv2dShape): boolean {
  return (
    kernelHeight === 3 &&
    kernelWidth === 3 &&
    strideY === strideX &&
    (strideY === 1 || strideY === 2) &&
    dilationY === 1 &&
    dilationX === 1
  );
}

/**
 * Lines of a strip: long ones reload little, short ones occupy a wide device. On hardware as many as leave some 2¹⁵ threads,
 * up to 4; each line that a thread goes on costs it a wait for memory. The sums are the same for any length.
 */
function stripLines({ batch, outHeight, outWidth, outChannels }: Conv2dShape, adapter: AdapterProfile): number {
  if (adapter.class !== 'hardware') return Math.min(outHeight, 16);
  const threadsOfLines = (batch * outHeight * Math.ceil(outWidth / stripWidth) * outChannels) / 4;
  return Math.min(outHeight, 4, Math.max(1, Math.floor(threadsOfLines / 2 ** 15)));
}

/** One output channel an input channel: every channel by itself, in strips for 3 × 3. */
export const depthwise: Conv2dVariant = {
  name: 'depthwise',
  applies: takesFours,
  lower(call) {
    if (stripsFit(call.shape)) lowerStrips(call);
    else lowerPlain(call);
  },
};

/** The same with values handed round in subgroups. */
export const depthwiseSubgroup: Conv2dVariant = {
  name: 'depthwise-subgroup',
  applies: (shape, adapter) => takesFours(shape) && stripsFit(shape) && takesSubgroupStrips(adapter),
  lower: lowerSubgroups,
};

function lowerPlain({ shape, lowering, input, result, epilogue, extras }: Conv2dCall): void {
  const count = (shape.batch * shape.outHeight * shape.outWidth * shape.outChannels) / 4;
  lowering.dispatch({
    kernel: plainKernel,
    bindings: [input, epilogue.weight, ...extras, result],
    parameters: { count, channels: shape.outChannels / 4, ...shapeParameters(shape), ...epilogue.parameters },
    workgroups: foldWorkgroups(Math.ceil(count / 64), lowering.adapter.limits.maxComputeWorkgroupsPerDimension),
    flops: conv2dFlops(shape),
  });
}

function lowerStrips({ shape, lowering, input, result, epilogue, extras }: Conv2dCall): void {
  const { adapter } = lowering;
  const strip = stripLines(shape, adapter);
  const stripsX = Math.ceil(shape.outWidth / stripWidth);
  const stripsY = Math.ceil(shape.outHeight / strip);
  const count = shape.batch * stripsY * stripsX * (shape.outChannels / 4);
  const kernel = stripKernels.get(`${shape.strideY} ${stripLoopsOf(adapter)} ${epilogue.residual !== undefined}`);
  if (!kernel) throw new Error('no strip kernel');
  lowering.dispatch({
    kernel,
    bindings: [input, epilogue.weight, ...extras, result],
    parameters: {
      ...shapeParameters(shape),
      ...{
        count,
        longest_loop: longestLoop,
        channels: shape.outChannels / 4,
        strip,
        strips_x: stripsX,
        strips_y: stripsY,
      },
      ...epilogue.parameters,
    },
    workgroups: foldWorkgroups(Math.ceil(count / 64), adapter.limits.maxComputeWorkgroupsPerDimension),
    flops: conv2dFlops(shape),
  });
}

function lowerSubgroups({ shape, lowering, input, result, epilogue, extras }: Conv2dCall): void {
  const out = imageShape('conv2d', result);
  const strips = subgroupStrips(lowering.adapter, out, packing(out.channels));
  const residual = epilogue.residual !== undefined;
  const main = shape.strideY === 1 ? subgroupOneSource : subgroupTwoSource;
  lowering.dispatch({
    kernel: {
      name: `conv2d/depthwise-subgroup-${shape.strideY}${residual ? '-residual' : ''} lanes=${strips.lanes}`,
      source: [stripsSource, unroll(`${subgroupSource}\n${main}`), epilogueSource].join('\n'),
      aliases,
      constants: { TAKES_RESIDUAL: residual, SUBGROUP: strips.lanes },
      enables: ['subgroups'],
    },
    bindings: [input, epilogue.weight, ...extras, result],
    parameters: {
      ...shapeParameters(shape),
      ...strips.parameters,
      channels: out.channels / 4,
      ...epilogue.parameters,
    },
    workgroups: strips.workgroups,
    flops: conv2dFlops(shape),
  });
}
