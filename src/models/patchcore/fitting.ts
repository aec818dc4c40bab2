import { TilesightError } from '../../engine/errors.js';
import { Graph, type Tensor } from '../../engine/graph.js';
import { formatBytes } from '../../engine/memory.js';
import { compile, type Plan } from '../../engine/plan.js';
import { Program } from '../../engine/program.js';
import { reduce } from '../../kernels/reduce.js';
import type { FitContext, FitJob, FitPlan, FittedPosition, Fitter, ModelSetting } from '../anomaly-model.js';
import { backboneFeatures } from '../backbones/backbone.js';
import { CoresetBuilder, type CoresetWatch } from '../coreset/builder.js';
import { checkCoresetFits, planCoreset, type CoresetPlan } from '../coreset/plan.js';
import { appendPatches, patchGrid, patchLayers } from './features.js';

/** While the device computes one, the host fills the other. */
const slots = 2;

interface FeaturePlan {
  readonly plan: Plan;
  readonly pixels: Tensor;
  /** `[B, h, w, d]`, stays on the device. */
  readonly patches: Tensor;
  /** Elements of each image's features that are not finite, `[B]`. */
  readonly nonFinite: Tensor;
}

function featurePlan(setting: ModelSetting): FeaturePlan {
  const { backbone, batch, tile, adapter, kernels, tuning } = setting;
  const graph = new Graph('patchcore features');
  const pixels = graph.input('pixels', [batch, tile.height, tile.width, 3], 'u8x4');
  const patches = graph.output(appendPatches(graph, backboneFeatures(graph, backbone, pixels, patchLayers)));
  const nonFinite = graph.output(reduce(graph, patches, { operation: 'countNonFinite', over: 'perImage' }));
  const plan = compile(graph, {
    adapter,
    ...(kernels && { kernels }),
    ...(tuning && { tuning }),
    slots,
    hostOutputs: [nonFinite],
  });
  return { plan, pixels, patches, nonFinite };
}

/** Rows that a bank should have: a share of all patches, at least one. */
export function bankRows(patches: number, ratio: number): number {
  return Math.max(1, Math.min(patches, Math.floor(patches * ratio)));
}

function coresetPlan(setting: ModelSetting, images: number, ratio: number, featureBytes: number): CoresetPlan {
  const { height, width, elements } = patchGrid(setting);
  const rows = images * height * width;
  return planCoreset({
    rows,
    elements,
    wanted: bankRows(rows, ratio),
    seed: setting.seed,
    adapter: setting.adapter,
    budgetBytes: setting.budgetBytes - featureBytes,
  });
}

interface PatchcorePlan {
  readonly features: FeaturePlan;
  readonly coreset: CoresetPlan;
}

const planned = new WeakMap<ModelSetting, Map<number, PatchcorePlan>>();

/** Plans of a fit: the features of a batch, and how the bank is chosen in what the budget leaves. */
export function patchcorePlan(setting: ModelSetting, ratio: number): PatchcorePlan {
  const known = planned.get(setting) ?? new Map<number, PatchcorePlan>();
  planned.set(setting, known);
  let plan = known.get(ratio);
  if (!plan) {
    const features = featurePlan(setting);
    const coreset = coresetPlan(setting, Math.max(1, setting.trainingImages), ratio, features.plan.bytes.total);
    plan = { features, coreset };
    known.set(ratio, plan);
  }
  return plan;
}

/** Cost of a fit; says what the bank will take before any feature is computed. */
export function planPatchcoreFit(setting: ModelSetting, ratio: number, f16: boolean): FitPlan {
  const { features, coreset } = patchcorePlan(setting, ratio);
  const { bytes } = features.plan;
  const { wanted } = coreset;
  const { elements } = coreset.setting;
  const bank = formatBytes(wanted * elements * (f16 ? 2 : 4));
  const budget = Number.isFinite(setting.budgetBytes) ? formatBytes(setting.budgetBytes) : 'without bound';
  const byOwner = {
    weights: bytes.parameters,
    activations: bytes.activations,
    inputs: bytes.inputs,
    outputs: bytes.outputs,
    slots: bytes.slots,
    uniforms: bytes.uniforms,
    coreset: coreset.bytes,
  };
  return {
    peakBytes: Object.values(byOwner).reduce((sum, value) => sum + value, 0),
    byOwner,
    flops: features.plan.flops / setting.batch,
    notes: [`bank will take ${bank} (${wanted} vectors of ${elements} numbers), budget is ${budget}`, ...coreset.notes],
  };
}

/** Programs that fit one position after the other: features batch by batch, then the choice of the bank. */
export async function createPatchcoreFitter(
  setting: ModelSetting,
  ratio: number,
  { gpu, pool, profiler }: FitContext,
): Promise<Fitter> {
  const { features, coreset } = patchcorePlan(setting, ratio);
  checkCoresetFits(coreset);
  const program = await Program.create(gpu, features.plan, { pool, ...(profiler && { profiler }) });
  let builder: CoresetBuilder | undefined;
  const builderFor = async (images: number): Promise<CoresetBuilder> => {
    const plan =
      images === setting.trainingImages ? coreset : coresetPlan(setting, images, ratio, features.plan.bytes.total);
    if (builder?.plan.setting.rows === plan.setting.rows) return builder;
    builder?.destroy();
    builder = undefined;
    checkCoresetFits(plan);
    builder = await CoresetBuilder.create(gpu, plan);
    return builder;
  };
  return {
    fit: async (job) => {
      if (job.tiles.count < 1) {
        throw new TilesightError('input', 'there is no training image to fill the memory bank of PatchCore from');
      }
      const bank = await builderFor(job.tiles.count);
      return fitBank(program, features, bank, setting, job);
    },
    destroy: () => {
      builder?.destroy();
      program.destroy();
    },
  };
}

/** Streams a position's tiles through the device into the coreset: the next batch is read while the last one computes. */
async function fitBank(
  program: Program,
  features: FeaturePlan,
  bank: CoresetBuilder,
  setting: ModelSetting,
  job: FitJob,
): Promise<FittedPosition> {
  const { tiles, signal, onProgress, checkpoint } = job;
  const { batch, tile } = setting;
  const { height, width, elements } = patchGrid(setting);
  const watch: CoresetWatch = { signal, onProgress: undefined, checkpoint: undefined };
  const source = program.deviceTensor(features.patches).memory.buffer;
  const buffers = Array.from({ length: slots }, () => new Uint8Array(batch * tile.height * tile.width * 3));
  /** Images of the batch that each slot computes. */
  const pending: number[][] = Array.from({ length: slots }, () => []);
  let done = 0;
  const settle = async (slot: number): Promise<void> => {
    const images = pending[slot] ?? [];
    if (images.length === 0) return;
    pending[slot] = [];
    const counts = await program.read(slot, features.nonFinite);
    for (const [index, image] of images.entries()) {
      if ((counts[index] ?? 0) === 0) continue;
      throw new TilesightError(
        'numbers',
        `${tiles.imageName(image)}: ${counts[index]} features are not finite: the weights do not suit the images`,
      );
    }
    done += images.length;
    onProgress?.({ stage: 'features', done, total: tiles.count });
  };
  bank.reset();
  let slot = 0;
  for (let first = 0; first < tiles.count; first += batch) {
    signal?.throwIfAborted();
    const images = Array.from({ length: Math.min(batch, tiles.count - first) }, (_, index) => first + index);
    const target = buffers[slot];
    if (!target) throw new Error('no slot');
    await tiles.read(images, target);
    await settle(slot);
    await program.write(slot, features.pixels, target);
    program.run(slot);
    pending[slot] = images;
    await bank.append(source, 0, images.length * height * width, watch);
    slot = (slot + 1) % slots;
  }
  // The older batch first.
  for (let index = 0; index < slots; index++) await settle((slot + index) % slots);
  const { vectors } = await bank.finish({ signal, onProgress, checkpoint });
  return {
    parameters: new Map([['bank', { shape: [vectors.length / elements, elements], data: vectors }]]),
    notes: bank.plan.notes,
  };
}
