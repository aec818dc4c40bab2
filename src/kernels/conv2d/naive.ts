import { foldWorkgroups } from '../../engine/kernel.js';
import { elementCount } from '../../engine/tensor.js';
import epilogueSource from '../epilogue.wgsl';
import source from './naive.wgsl';
import { conv2dFlops } from './shape.js';
import { shapeParameters, type Conv2dVariant } from './variant.js';

const kernel = { name: 'conv2d/naive', source: source + epilogueSource };

/** The plain sum; takes every shape. */
export const naive: Conv2dVariant = {
  name: 'naive',
  applies: () => true,
  lower({ shape, lowering, input, result, epilogue, extras }) {
    const count = elementCount(result.shape);
    lowering.dispatch({
      kernel,
      bindings: [input, epilogue.weight, ...extras, result],
      parameters: { count, ...shapeParameters(shape), ...epilogue.parameters },
      workgroups: foldWorkgroups(Math.ceil(count / 64), lowering.adapter.limits.maxComputeWorkgroupsPerDimension),
      flops: conv2dFlops(shape),
    });
  },
};
