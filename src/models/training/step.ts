import { gradients } from '../../engine/gradients.js';
import type { Graph, Tensor } from '../../engine/graph.js';
import { compile, type Plan, type PlanOptions } from '../../engine/plan.js';
import { recomputeForward } from '../../engine/recompute.js';
import { interleaveBackward } from '../../engine/schedule.js';
import { add } from '../../kernels/elementwise.js';
import {
  advanceOptimizer,
  optimizerStates,
  updateParameter,
  type OptimizerOptions,
} from '../../kernels/optimizers/optimizers.js';

/** A training step's tensors: what goes in, what comes out and what stays. */
export interface TrainingStep {
  readonly graph: Graph;
  /** Loss of the batch, `[1]`: an output. */
  readonly loss: Tensor;
  /** Learning rate, `[1]`: an input. */
  readonly rate: Tensor;
  /** u32 `[trained.length]`: an output that is 1 where the gradient of a parameter is not finite. */
  readonly marks: Tensor;
  /** Trained parameters, in the order of the marks. */
  readonly trained: readonly Tensor[];
  /** Parameters that hold the optimiser's state; they start as zeros. */
  readonly states: readonly Tensor[];
  /** Number of leading nodes that are the forward computation. */
  readonly forward: number;
}

/**
 * Completes a graph that computes a loss to a training step: appends the gradients of the loss with respect to every
 * trained parameter and the optimiser's updates, in place. Compiled, the whole step is one plan.
 *
 * @param loss `[1]`.
 * @param trained parameters of the graph.
 * @throws when the loss does not depend on one of them, or an operator on the way has no gradient.
 */
export function trainingStep(
  graph: Graph,
  loss: Tensor,
  trained: readonly Tensor[],
  optimizer: OptimizerOptions,
): TrainingStep {
  graph.output(loss);
  const forward = graph.nodes.length;
  const found = gradients(graph, loss, trained, add);
  // In the order in which the gradients are ready, so that each update can follow at once and free its gradient.
  const ready = new Map(graph.nodes.flatMap((node, index) => node.outputs.map((output) => [output, index] as const)));
  const order = trained
    .map((parameter, index) => ({ parameter, gradient: found[index] ?? parameter }))
    .sort((a, b) => (ready.get(a.gradient) ?? 0) - (ready.get(b.gradient) ?? 0));
  const step = {
    rate: graph.input('learning rate', [1]),
    state: graph.parameter('optimizer.step', [3], { owner: 'optimizer' }),
    marks: graph.parameter('optimizer.marks', [trained.length], { dtype: 'u32', owner: 'optimizer' }),
  };
  advanceOptimizer(graph, step, optimizer);
  const states: Tensor[] = [step.state];
  order.forEach(({ parameter, gradient }, mark) => {
    const own = Array.from({ length: optimizerStates(optimizer) }, (_, index) =>
      graph.parameter(`optimizer.${index}.${parameter.name}`, parameter.shape, { owner: 'optimizer' }),
    );
    states.push(...own);
    updateParameter(graph, parameter, gradient, own, step, optimizer, mark);
  });
  graph.output(step.marks);
  const ordered = order.map(({ parameter }) => parameter);
  return { graph, loss, rate: step.rate, marks: step.marks, trained: ordered, states, forward };
}

/** Segments that are tried in turn when the values do not fit; with 1 nothing is computed twice. */
const segmentCounts = [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16];

/** A compiled training step and what the budget forced. */
export interface TrainingPlan {
  readonly plan: Plan;
  /** Segments of the forward computation; 1 when nothing is computed twice. */
  readonly segments: number;
  readonly notes: readonly string[];
}

/**
 * Compiles a training step. Where it would not fit into `budgetBytes`, memory is saved in this order: values lie side by
 * side in shared buffers, and parts of the loss that share no values are computed forward and backward one after the
 * other; then forward values are computed again instead of kept, with as few segments as fit, or, if none do, with those
 * that need the fewest bytes.
 */
export function compileTrainingStep(
  step: TrainingStep,
  options: PlanOptions & { readonly budgetBytes: number },
): TrainingPlan {
  const { graph, trained } = step;
  const whole = compile(graph, options);
  if (whole.bytes.total <= options.budgetBytes) return { plan: whole, segments: 1, notes: [] };
  const forward = new Set(graph.nodes.slice(0, step.forward));
  const orders = [graph.nodes, interleaveBackward(graph.nodes, step.forward)];
  let smallest = { plan: whole, segments: 1 };
  for (const segments of segmentCounts) {
    for (const nodes of orders) {
      const saving = recomputeForward(graph, nodes, forward, trained, segments).graph;
      const plan = compile(saving, { ...options, layout: 'ranges' });
      if (plan.bytes.total < smallest.plan.bytes.total) smallest = { plan, segments };
    }
    if (smallest.plan.bytes.total <= options.budgetBytes) break;
  }
  return { ...smallest, notes: [savingNote(smallest.segments, smallest.plan.flops / whole.flops - 1)] };
}

function savingNote(segments: number, more: number): string {
  if (segments === 1)
    return 'values share buffers side by side, so that the device overlaps fewer dispatches: the budget asks for it';
  return `activations are computed again in ${segments} segments instead of kept: ${Math.round(more * 100)} % more arithmetic a step`;
}
