import { Graph, type Tensor } from '../../engine/graph.js';
import { allocationSize } from '../../engine/memory.js';
import { compile, type Plan } from '../../engine/plan.js';
import { byteLength, type Shape } from '../../engine/tensor.js';
import type { OptimizerOptions } from '../../kernels/optimizers/optimizers.js';
import type { AnomalyModel, FitPlan, HeadOutputs, ModelSetting } from '../anomaly-model.js';
import { backboneFeatures } from '../backbones/backbone.js';
import { declaringNetwork, type Network, type ParameterDeclaration } from './network.js';
import type { TrainingOptions } from './options.js';
import { compileTrainingStep, trainingStep, type TrainingStep } from './step.js';
import { createTrainingFitter } from './fitter.js';

/** Slots of a training step: while the device computes one batch, the host fills the other. */
export const trainingSlots = 2;

/** A model that is trained by gradients: its networks and how they learn. Everything else follows. */
export interface TrainedModelParts {
  readonly name: string;
  /** Backbone layers whose outputs the networks see, shallowest first. */
  readonly layers: readonly string[];
  readonly optimizer: OptimizerOptions;
  readonly training: TrainingOptions;
  /** Where the networks belong to places in the tile. */
  readonly positionBound?: boolean;
  /** The frozen part between backbone and networks; default the layers as they are. */
  features?(graph: Graph, taps: readonly Tensor[], setting: ModelSetting, pixels: Tensor): readonly Tensor[];
  /** The loss of a batch, `[1]`, from its features `[B, …]`. With `network.training` false for held-out images. */
  loss(network: Network, features: readonly Tensor[], setting: ModelSetting): Tensor;
  /** Anomaly map and score of one tile, from its features `[1, …]`. Declares parameters by the same names. */
  head(network: Network, features: readonly Tensor[], setting: ModelSetting): HeadOutputs;
}

/** The plans of training, made without a device. */
export interface TrainingPlans {
  readonly pixels: Tensor;
  readonly step: TrainingStep;
  readonly plan: Plan;
  /** The position's parameters, running statistics included. */
  readonly declared: readonly ParameterDeclaration[];
  /** Loss in evaluation, where training looks at held-out images. */
  readonly evaluation: { readonly plan: Plan; readonly pixels: Tensor; readonly loss: Tensor } | undefined;
  readonly notes: readonly string[];
}

/** Makes an anomaly model of networks that are trained by gradients. */
export function trainedModel(parts: TrainedModelParts): AnomalyModel {
  return {
    name: parts.name,
    layers: parts.layers,
    usesHeldOut: parts.training.stop === 'held-out',
    ...(parts.positionBound !== undefined && { positionBound: parts.positionBound }),
    parameterShapes(setting) {
      const { declared } = lossGraph(parts, setting, true);
      return new Map([...declared].map(([name, { declaration }]) => [name, declaration.shape]));
    },
    features: (graph, taps, setting, pixels) => parts.features?.(graph, taps, setting, pixels) ?? taps,
    head(graph, features, parameter, setting) {
      const declare = (name: string, shape: Shape): Tensor => {
        const tensor = parameter(name);
        if (tensor.shape.join() !== shape.join()) {
          throw new Error(`${parts.name} wants ${name} as [${shape.join(', ')}], it is [${tensor.shape.join(', ')}]`);
        }
        return tensor;
      };
      const network = { graph, training: false, seed: setting.seed, parameter: declare, statistic: declare };
      return parts.head(network, features, setting);
    },
    planFit: (setting) => fitPlan(trainingPlans(parts, setting), setting),
    createFitter: (setting, context) =>
      createTrainingFitter(parts.name, trainingPlans(parts, setting), parts.training, setting, context),
  };
}

interface LossGraph {
  readonly graph: Graph;
  readonly pixels: Tensor;
  readonly loss: Tensor;
  readonly declared: ReadonlyMap<string, { readonly declaration: ParameterDeclaration; readonly tensor: Tensor }>;
}

/** The forward computation from pixels to the loss. */
function lossGraph(parts: TrainedModelParts, setting: ModelSetting, training: boolean): LossGraph {
  const { backbone, batch, tile, seed } = setting;
  const graph = new Graph(`${parts.name} ${training ? 'training' : 'evaluation'}`);
  const pixels = graph.input('pixels', [batch, tile.height, tile.width, 3], 'u8x4');
  const taps = backboneFeatures(graph, backbone, pixels, parts.layers);
  const features = parts.features?.(graph, taps, setting, pixels) ?? taps;
  const { network, declared } = declaringNetwork(graph, training, seed);
  const loss = parts.loss(network, features, setting);
  return { graph, pixels, loss, declared };
}

/** Builds and compiles what training a position runs, within the setting's budget. */
export function trainingPlans(parts: TrainedModelParts, setting: ModelSetting): TrainingPlans {
  const { adapter, kernels, tuning, budgetBytes } = setting;
  const options = { adapter, ...(kernels && { kernels }), ...(tuning && { tuning }), slots: trainingSlots };
  const { graph, pixels, loss, declared } = lossGraph(parts, setting, true);
  const trained = [...declared.values()].filter(({ declaration }) => declaration.trained);
  const step = trainingStep(
    graph,
    loss,
    trained.map(({ tensor }) => tensor),
    parts.optimizer,
  );
  let evaluation: TrainingPlans['evaluation'];
  if (parts.training.stop === 'held-out') {
    const held = lossGraph(parts, setting, false);
    held.graph.output(held.loss);
    evaluation = { plan: compile(held.graph, { ...options, slots: 1 }), pixels: held.pixels, loss: held.loss };
  }
  const rest = evaluation ? evaluation.plan.bytes.total - evaluation.plan.bytes.parameters : 0;
  const { plan, notes } = compileTrainingStep(step, { ...options, budgetBytes: budgetBytes - rest });
  return { pixels, step, plan, declared: [...declared.values()].map((each) => each.declaration), evaluation, notes };
}

function fitPlan({ plan, evaluation, notes }: TrainingPlans, setting: ModelSetting): FitPlan {
  const plans = [plan, ...(evaluation ? [evaluation.plan] : [])];
  // Parameters live in pools by name, so that both plans share them.
  const parameters = new Map(plans.flatMap((each) => each.parameters).map((tensor) => [tensor.name, tensor]));
  const byOwner: Record<string, number> = {};
  const add = (owner: string, bytes: number): void => {
    byOwner[owner] = (byOwner[owner] ?? 0) + bytes;
  };
  for (const { owner, shape, dtype } of parameters.values()) add(owner, allocationSize(byteLength(shape, dtype)));
  for (const { bytes } of plans) {
    add('activations', bytes.activations);
    add('inputs', bytes.inputs);
    add('outputs', bytes.outputs);
    add('slots', bytes.slots);
    add('uniforms', bytes.uniforms);
  }
  return {
    peakBytes: Object.values(byOwner).reduce((sum, bytes) => sum + bytes, 0),
    byOwner,
    flops: plan.flops / setting.batch,
    notes,
  };
}
