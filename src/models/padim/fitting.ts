import { TilesightError } from '../../engine/errors.js';
import { Graph, type Tensor } from '../../engine/graph.js';
import { formatBytes } from '../../engine/memory.js';
import { compile, type Plan } from '../../engine/plan.js';
import type { Profiler } from '../../engine/profiler.js';
import { ParameterPool, Program } from '../../engine/program.js';
import { byteLength, type Shape } from '../../engine/tensor.js';
import { choleskyInverse } from '../../kernels/cholesky/cholesky-inverse.js';
import { updateMoments, type Moments } from '../../kernels/moments/moments.js';
import { packedTriangle } from '../../kernels/position-chunks.js';
import { reduce } from '../../kernels/reduce.js';
import type { FitContext, FitJob, FitPlan, FittedPosition, Fitter, ModelSetting } from '../anomaly-model.js';
import { backboneFeatures } from '../backbones/backbone.js';
import { appendEmbedding, embeddingLayers, type Embedding } from './embedding.js';

/** Added to the diagonal of every covariance. */
const ridge = 0.01;

/** While the device computes one, the host fills the other. */
const slots = 2;

/** Shapes of a position's parameters: mean, and packed inverse Cholesky factor of the covariance. */
export function positionShapes({ height, width, channels }: Embedding): ReadonlyMap<string, Shape> {
  const positions = height * width;
  return new Map([
    ['mean', [positions, channels.length]],
    ['factor', [positions, packedTriangle(channels.length)]],
  ]);
}

/** The two plans of a fit: one run a batch, then one run a position of the ensemble. */
interface FitPlans {
  readonly batch: Plan;
  readonly pixels: Tensor;
  readonly valid: Tensor;
  /** Elements of each image's embedding that are not finite, `[B]`. */
  readonly nonFinite: Tensor;
  readonly moments: Moments;
  readonly finish: Plan;
  /** Parameters of the second plan that are the first one's memory. */
  readonly finishComoment: Tensor;
  readonly finishSeen: Tensor;
}

function fitPlans(setting: ModelSetting, embedding: Embedding): FitPlans {
  const { backbone, batch, tile, adapter, kernels, tuning } = setting;
  const options = { adapter, ...(kernels && { kernels }), ...(tuning && { tuning }) };
  const shapes = positionShapes(embedding);
  const declare = (graph: Graph, name: string, shape: Shape): Tensor =>
    graph.parameter(`padim.${name}`, shape, { owner: 'moments' });

  const graph = new Graph('padim moments');
  const pixels = graph.input('pixels', [batch, tile.height, tile.width, 3], 'u8x4');
  const valid = graph.input('valid', [1]);
  const features = appendEmbedding(graph, backboneFeatures(graph, backbone, pixels, embeddingLayers), embedding);
  const nonFinite = graph.output(reduce(graph, features, { operation: 'countNonFinite', over: 'perImage' }));
  const moments = {
    mean: declare(graph, 'mean', shapes.get('mean') ?? []),
    comoment: declare(graph, 'comoment', shapes.get('factor') ?? []),
    seen: declare(graph, 'seen', [1]),
  };
  updateMoments(graph, features, valid, moments);

  const finishGraph = new Graph('padim factor');
  const finishComoment = declare(finishGraph, 'comoment', moments.comoment.shape);
  const finishSeen = declare(finishGraph, 'seen', [1]);
  choleskyInverse(finishGraph, finishComoment, finishSeen, ridge);
  return {
    batch: compile(graph, { ...options, slots }),
    pixels,
    valid,
    nonFinite,
    moments,
    finish: compile(finishGraph, options),
    finishComoment,
    finishSeen,
  };
}

/** Cost of a fit: both plans, whose parameters are one memory. */
export function planPadimFit(setting: ModelSetting, embedding: Embedding): FitPlan {
  const { batch, finish } = fitPlans(setting, embedding);
  const momentBytes = batch.parameters
    .filter((tensor) => tensor.owner === 'moments')
    .reduce((sum, { shape, dtype }) => sum + Math.ceil(byteLength(shape, dtype) / 16) * 16, 0);
  const byOwner = {
    weights: batch.bytes.parameters - momentBytes,
    moments: momentBytes,
    activations: batch.bytes.activations + finish.bytes.activations,
    inputs: batch.bytes.inputs,
    outputs: batch.bytes.outputs,
    slots: batch.bytes.slots,
    uniforms: batch.bytes.uniforms + finish.bytes.uniforms,
  };
  return {
    peakBytes: Object.values(byOwner).reduce((sum, bytes) => sum + bytes, 0),
    byOwner,
    flops: batch.flops / setting.batch,
    notes: [],
  };
}

/** Programs that fit one position after the other: moments batch by batch, then the factors. */
export async function createPadimFitter(
  setting: ModelSetting,
  embedding: Embedding,
  { gpu, pool, profiler }: FitContext,
): Promise<Fitter> {
  const plans = fitPlans(setting, embedding);
  const { mean, comoment, seen } = plans.moments;
  const largest = byteLength(comoment.shape, comoment.dtype);
  if (largest > gpu.profile.limits.maxBufferSize) {
    throw new TilesightError(
      'memory',
      `the covariances of a tile take ${formatBytes(largest)}, this device's buffers at most ` +
        `${formatBytes(gpu.profile.limits.maxBufferSize)}: use a smaller tile or fewer --padim.dimensions`,
    );
  }
  const statistics = new ParameterPool(gpu);
  let program: Program | undefined;
  let finish: Program | undefined;
  const destroy = (): void => {
    program?.destroy();
    finish?.destroy();
    statistics.destroy();
  };
  try {
    const memory = {
      mean: await statistics.get(mean),
      comoment: await statistics.get(comoment),
      seen: await statistics.get(seen),
    };
    const options = { pool, ...(profiler && { profiler }) };
    program = await Program.create(gpu, plans.batch, {
      ...options,
      bind: new Map([
        [mean, memory.mean],
        [comoment, memory.comoment],
        [seen, memory.seen],
      ]),
    });
    finish = await Program.create(gpu, plans.finish, {
      ...options,
      bind: new Map([
        [plans.finishComoment, memory.comoment],
        [plans.finishSeen, memory.seen],
      ]),
    });
  } catch (error) {
    destroy();
    throw error;
  }
  const programs = { program, finish };
  return {
    fit: async (job) => {
      for (const tensor of [mean, comoment, seen]) statistics.clear(tensor.name);
      await accumulate(programs.program, plans, setting, job, profiler);
      programs.finish.run(0, false);
      return download(statistics, plans.moments);
    },
    destroy,
  };
}

/** Streams a position's tiles through the device: the next batch is read while the last one computes. */
async function accumulate(
  program: Program,
  plans: FitPlans,
  setting: ModelSetting,
  job: FitJob,
  profiler: Profiler | undefined,
): Promise<void> {
  const { tiles, signal, onProgress } = job;
  const { batch, tile } = setting;
  if (tiles.count < 1) throw new TilesightError('input', 'there is no training image to fit PaDiM on');
  const pixels = Array.from({ length: slots }, () => new Uint8Array(batch * tile.height * tile.width * 3));
  /** Images of the batch that each slot computes. */
  const pending: number[][] = Array.from({ length: slots }, () => []);
  let done = 0;
  const settle = async (slot: number): Promise<void> => {
    const images = pending[slot] ?? [];
    if (images.length === 0) return;
    pending[slot] = [];
    const started = performance.now();
    const counts = await program.read(slot, plans.nonFinite);
    profiler?.host('wait', started);
    images.forEach((image, index) => {
      const count = counts[index] ?? 0;
      if (count === 0) return;
      throw new TilesightError(
        'numbers',
        `${tiles.imageName(image)}: ${count} features are not finite: the weights do not suit the images`,
      );
    });
    done += images.length;
    onProgress?.({ stage: 'moments', done, total: tiles.count });
  };
  for (let first = 0, slot = 0; first < tiles.count; first += batch, slot = (slot + 1) % slots) {
    signal?.throwIfAborted();
    const images = Array.from({ length: Math.min(batch, tiles.count - first) }, (_, index) => first + index);
    const target = pixels[slot];
    if (!target) throw new Error('no slot');
    const started = performance.now();
    await tiles.read(images, target);
    profiler?.host('read tiles', started);
    await settle(slot);
    await program.write(slot, plans.pixels, target);
    await program.write(slot, plans.valid, Float32Array.of(images.length));
    program.run(slot);
    pending[slot] = images;
  }
  // The older batch first.
  for (const slot of Array.from({ length: slots }, (_, index) => index).sort(
    (a, b) => (pending[a]?.[0] ?? 0) - (pending[b]?.[0] ?? 0),
  )) {
    await settle(slot);
  }
  signal?.throwIfAborted();
}

/** The fitted parameters, checked: a covariance that is not positive definite in 32 bits shows as NaN. */
async function download(statistics: ParameterPool, { mean, comoment }: Moments): Promise<FittedPosition> {
  const parameters = new Map([
    ['mean', await statistics.read(mean.name)],
    ['factor', await statistics.read(comoment.name)],
  ]);
  for (const [name, { data }] of parameters) {
    if (!data.every(Number.isFinite)) {
      throw new TilesightError(
        'numbers',
        `PaDiM's ${name} is not finite: the covariance cannot be inverted in 32 bits; use fewer --padim.dimensions`,
      );
    }
  }
  return { parameters };
}
