import type { Graph, Operator, Tensor } from '../../engine/graph.js';
import { foldWorkgroups } from '../../engine/kernel.js';
import { elementCount } from '../../engine/tensor.js';
import { wrong } from '../shapes.js';
import adamSource from './adam.wgsl';
import advanceSource from './advance.wgsl';
import markSource from './mark-nonfinite.wgsl';
import sgdSource from './sgd-momentum.wgsl';

/** Adam with the weight decay added to the gradient. */
export interface AdamOptions {
  readonly kind: 'adam';
  readonly betas: readonly [number, number];
  readonly epsilon: number;
  readonly weightDecay: number;
}

/** Gradient descent with momentum. */
export interface SgdOptions {
  readonly kind: 'sgd';
  readonly momentum: number;
  readonly weightDecay: number;
}

/** How parameters follow their gradients. */
export type OptimizerOptions = AdamOptions | SgdOptions;

/** What all updates of one step share, on the device. */
export interface OptimizerStep {
  /** Learning rate, `[1]`: an input, so that a schedule needs no second plan. */
  readonly rate: Tensor;
  /** `[3]`: steps done, and Adam's two bias corrections. A parameter that starts as zeros. */
  readonly state: Tensor;
  /** u32, one a parameter: 1 where the step's gradient held a value that is not finite. A parameter. */
  readonly marks: Tensor;
}

const advanceOperator: Operator<OptimizerOptions> = {
  name: 'optimizer-advance',
  lower(node, lowering) {
    const [state, marks] = node.inputs;
    if (!state || !marks) throw new Error('optimizer-advance wants a state and marks');
    const [beta1, beta2] = node.attributes.kind === 'adam' ? node.attributes.betas : [0, 0];
    const count = elementCount(marks.shape);
    lowering.dispatch({
      kernel: { name: 'optimizer-advance', source: advanceSource },
      bindings: [state, marks],
      parameters: { marks: count, beta1, beta2, rest1: 1 - beta1, rest2: 1 - beta2 },
      workgroups: [Math.ceil(count / 64), 1, 1],
    });
  },
};

/** Begins a step: must stand before the updates. */
export function advanceOptimizer(graph: Graph, step: OptimizerStep, options: OptimizerOptions): void {
  graph.add(advanceOperator, [step.state, step.marks], options, [], [step.state, step.marks]);
}

interface UpdateAttributes {
  readonly options: OptimizerOptions;
  readonly mark: number;
}

const updateOperator: Operator<UpdateAttributes> = {
  name: 'optimizer-update',
  lower(node, lowering) {
    const { options, mark } = node.attributes;
    const parameter = node.updates[0];
    if (!parameter) throw new Error('optimizer-update wants a parameter');
    const count = elementCount(parameter.shape);
    const adam = options.kind === 'adam';
    lowering.dispatch({
      kernel: { name: `optimizer/${options.kind}`, source: (adam ? adamSource : sgdSource) + markSource },
      bindings: node.inputs,
      parameters: adam
        ? {
            count,
            mark,
            beta2: options.betas[1],
            rest1: 1 - options.betas[0],
            rest2: 1 - options.betas[1],
            epsilon: options.epsilon,
            weight_decay: options.weightDecay,
          }
        : { count, mark, momentum: options.momentum, weight_decay: options.weightDecay },
      workgroups: foldWorkgroups(Math.ceil(count / 256), lowering.adapter.limits.maxComputeWorkgroupsPerDimension),
      flops: count * (adam ? 14 : 6),
    });
  },
};

/** Number of state tensors, each of the parameter's shape, that an optimiser keeps for a parameter. */
export function optimizerStates(options: OptimizerOptions): number {
  return options.kind === 'adam' ? 2 : 1;
}

/**
 * Moves a parameter along its gradient, in place.
 *
 * @param states as many as {@link optimizerStates} says, of the parameter's shape, zeros at the start: Adam's running
 *   means of gradient and squared gradient, or the velocity.
 * @param mark the parameter's place among the step's marks.
 */
export function updateParameter(
  graph: Graph,
  parameter: Tensor,
  gradient: Tensor,
  states: readonly Tensor[],
  step: OptimizerStep,
  options: OptimizerOptions,
  mark: number,
): void {
  for (const tensor of [gradient, ...states]) {
    if (elementCount(tensor.shape) !== elementCount(parameter.shape)) {
      throw wrong('optimizer', `${tensor.name} does not have the shape of ${parameter.name}`);
    }
  }
  if (states.length !== optimizerStates(options))
    throw wrong('optimizer', `${options.kind} got ${states.length} states`);
  const before = options.kind === 'adam' ? [step.rate, step.state] : [step.rate];
  graph.add(
    updateOperator,
    [gradient, ...before, parameter, ...states, step.marks],
    { options, mark },
    [],
    [parameter, ...states, step.marks],
  );
}
