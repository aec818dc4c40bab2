import { TilesightError } from '../engine/errors.js';
import { usage, type DeviceBuffer, type Gpu } from '../engine/gpu.js';
import { Graph, type Tensor } from '../engine/graph.js';
import { allocationSize } from '../engine/memory.js';
import { compile, type Plan } from '../engine/plan.js';
import type { Profiler } from '../engine/profiler.js';
import { ParameterPool, Program, type DeviceTensor } from '../engine/program.js';
import { byteLength, elementCount, type DType, type NamedTensors, type Shape } from '../engine/tensor.js';
import type { AnomalyModel, HeadOutputs, ModelSetting } from './anomaly-model.js';
import { backboneFeatures } from './backbones/backbone.js';

/** Slots of a predictor: while the device computes one, the host fills and reads the other. */
export const predictorSlots = 2;

/** The plans of prediction and what they will take, made without a device. */
export interface PredictorPlan {
  readonly pixels: Tensor;
  /** Backbone and frozen part, for a batch of tiles of any positions. */
  readonly frozen: Plan;
  readonly features: readonly Tensor[];
  /** The head, for one tile. */
  readonly head: Plan;
  readonly headInputs: readonly Tensor[];
  readonly outputs: HeadOutputs;
  /** Device bytes of one position's parameters. */
  readonly positionBytes: number;
  /** Device bytes of everything else, slots included. */
  readonly fixedBytes: number;
  /** `fixedBytes` by what they are for. */
  readonly byOwner: Readonly<Record<'weights' | 'activations' | 'slots' | 'other', number>>;
  /** Arithmetic of one tile, in FLOP. */
  readonly flopsPerTile: number;
}

/** Plans prediction. `shapes` are those of a fitted position's parameters; default what the model expects. */
export function planPredictor(
  model: AnomalyModel,
  setting: ModelSetting,
  shapes: ReadonlyMap<string, Shape> = model.parameterShapes(setting),
): PredictorPlan {
  const { tile, batch, adapter, kernels, tuning } = setting;
  const options = { adapter, ...(kernels && { kernels }), ...(tuning && { tuning }) };
  const graph = new Graph(`${setting.backbone.name} features`);
  const pixels = graph.input('pixels', [batch, tile.height, tile.width, 3], 'u8x4');
  const taps = backboneFeatures(graph, setting.backbone, pixels, model.layers);
  const features = model.features(graph, taps, setting, pixels).map((tensor) => graph.output(tensor));
  const frozen = compile(graph, { ...options, slots: predictorSlots, hostOutputs: [] });

  const headGraph = new Graph(`${model.name} head`);
  const headInputs = features.map((feature, index) =>
    headGraph.input(`feature ${index}`, [1, ...feature.shape.slice(1)], feature.dtype),
  );
  const parameter = (name: string, dtype: DType = 'f32'): Tensor => {
    const shape = shapes.get(name);
    if (!shape) throw new Error(`${model.name} declares no shape for its parameter ${name}`);
    return headGraph.parameter(name, shape, { owner: 'position', dtype });
  };
  const outputs = model.head(headGraph, headInputs, parameter, setting);
  headGraph.output(outputs.map);
  headGraph.output(outputs.score);
  const head = compile(headGraph, { ...options, slots: 1, hostInputs: [], hostOutputs: [] });

  const readBack = predictorSlots * allocationSize(resultBytes(setting));
  const positionParameters = head.parameters.filter((tensor) => tensor.owner === 'position');
  const positionBytes = positionParameters.reduce(
    (sum, { shape, dtype }) => sum + allocationSize(byteLength(shape, dtype)),
    0,
  );
  const byOwner = {
    weights: frozen.bytes.parameters + head.bytes.parameters - positionBytes,
    activations: frozen.bytes.activations + head.bytes.activations,
    slots: frozen.bytes.slots + readBack,
    other:
      frozen.bytes.inputs +
      frozen.bytes.outputs +
      frozen.bytes.uniforms +
      head.bytes.inputs +
      head.bytes.outputs +
      head.bytes.uniforms,
  };
  return {
    pixels,
    frozen,
    features,
    head,
    headInputs,
    outputs,
    positionBytes,
    fixedBytes: Object.values(byOwner).reduce((sum, bytes) => sum + bytes, 0),
    byOwner,
    flopsPerTile: frozen.flops / batch + head.flops,
  };
}

/** Bytes of the results of one batch: a map and a score a tile. */
function resultBytes({ batch, tile }: ModelSetting): number {
  return batch * (tile.height * tile.width + 1) * 4;
}

/** A position whose parameters are on the device. */
export interface LoadedPosition {
  readonly program: Program;
  readonly parameters: ParameterPool;
}

/** Where a predictor gets positions from; see the ensemble's cache. */
export interface PositionSource {
  /** The position, if its parameters are on the device. */
  loaded(position: number): LoadedPosition | undefined;
  /** Brings a position's parameters to the device; may overwrite those of another, behind everything submitted so far. */
  load(position: number): Promise<LoadedPosition>;
}

/** Results of one batch: maps `[n, h, w]` behind each other and a score a tile. */
export interface BatchResult {
  readonly maps: Float32Array;
  readonly scores: Float32Array;
}

/**
 * Predicts batches of tiles: the frozen part once a batch, whatever positions its tiles belong to, then the head of each
 * tile's position, all in one submit. Knows no model by name.
 */
export class Predictor {
  #workspace: Program | undefined;
  /** Parameters of the head that all positions share. */
  readonly #constants: ParameterPool;
  readonly #results: readonly DeviceBuffer[];

  private constructor(
    readonly gpu: Gpu,
    readonly plan: PredictorPlan,
    readonly setting: ModelSetting,
    readonly frozen: Program,
    readonly profiler: Profiler | undefined,
  ) {
    this.#constants = new ParameterPool(gpu);
    this.#results = Array.from({ length: predictorSlots }, (_, index) =>
      gpu.allocate(resultBytes(setting), 'slots', `results ${index}`, usage.mapRead | usage.copyDestination),
    );
  }

  static async create(
    gpu: Gpu,
    plan: PredictorPlan,
    setting: ModelSetting,
    options: { pool?: ParameterPool; profiler?: Profiler | undefined } = {},
  ): Promise<Predictor> {
    return new Predictor(gpu, plan, setting, await Program.create(gpu, plan.frozen, options), options.profiler);
  }

  /** Uploads a position's parameters. Each loaded position costs `plan.positionBytes`; activations are shared by all. */
  async load(parameters: NamedTensors): Promise<LoadedPosition> {
    const pool = new ParameterPool(this.gpu);
    try {
      const bind = new Map<Tensor, DeviceTensor>();
      for (const tensor of this.plan.head.parameters) {
        if (tensor.owner === 'position') bind.set(tensor, await pool.get(tensor));
      }
      const program = await Program.create(this.gpu, this.plan.head, {
        pool: this.#constants,
        bind,
        profiler: this.profiler,
        ...(this.#workspace && { workspace: this.#workspace }),
      });
      this.#workspace ??= program;
      const position = { program, parameters: pool };
      await this.replace(position, parameters);
      return position;
    } catch (error) {
      pool.destroy();
      throw error;
    }
  }

  /** Overwrites a loaded position's parameters with another's, in blocks, behind everything submitted so far. */
  async replace(position: LoadedPosition, parameters: NamedTensors): Promise<void> {
    for (const tensor of this.plan.head.parameters) {
      if (tensor.owner !== 'position') continue;
      const contents = parameters.get(tensor.name);
      if (!contents) throw new TilesightError('input', `the position has no tensor ${tensor.name}: train it again`);
      await position.parameters.write(tensor.name, contents);
    }
  }

  /** Frees a loaded position; its parameters, not the memory shared by all. */
  release(position: LoadedPosition): void {
    position.parameters.destroy();
    if (position.program !== this.#workspace) position.program.destroy();
  }

  /**
   * Submits one batch: `pixels` holds a tile for each of `positions`, behind each other. Fewer than a batch are fine. The
   * frozen part runs once for all of them; the heads follow in one submit as long as their positions are on the device,
   * and position after position where parameters stream: each then overwrites those of a head that was submitted before.
   * The slot must have been read since its last use.
   */
  async submit(slot: number, pixels: Uint8Array, positions: readonly number[], source: PositionSource): Promise<void> {
    const { plan, gpu, setting } = this;
    const started = performance.now();
    await this.frozen.write(slot, plan.pixels, pixels);
    this.profiler?.host('upload', started);
    const results = this.#results[slot];
    if (!results) throw new Error(`the predictor has ${predictorSlots} slots`);
    const mapBytes = setting.tile.height * setting.tile.width * 4;
    let encoder = gpu.device.createCommandEncoder({ label: 'batch' });
    this.frozen.encode(encoder, slot);
    const encoded = new Set<Program>([this.frozen]);
    const flush = (): void => {
      gpu.submit(encoder);
      for (const program of encoded) program.submitted(program === this.frozen ? slot : 0);
      encoded.clear();
      encoder = gpu.device.createCommandEncoder({ label: 'batch' });
    };
    for (const [index, position] of positions.entries()) {
      let loaded = source.loaded(position);
      if (!loaded) {
        flush();
        loaded = await source.load(position);
      }
      const { program } = loaded;
      plan.features.forEach((feature, number) => {
        const input = plan.headInputs[number];
        if (!input) return;
        const bytes = (elementCount(feature.shape) / setting.batch) * 4;
        const from = this.frozen.deviceTensor(feature).memory.buffer;
        encoder.copyBufferToBuffer(from, index * bytes, program.deviceTensor(input).memory.buffer, 0, bytes);
      });
      program.encode(encoder);
      encoded.add(program);
      const map = program.deviceTensor(plan.outputs.map).memory.buffer;
      encoder.copyBufferToBuffer(map, 0, results.buffer, index * mapBytes, mapBytes);
      const score = program.deviceTensor(plan.outputs.score).memory.buffer;
      encoder.copyBufferToBuffer(score, 0, results.buffer, setting.batch * mapBytes + index * 4, 4);
    }
    flush();
  }

  /** Waits for a slot's batch and copies its first `count` results out. */
  async read(slot: number, count: number): Promise<BatchResult> {
    const results = this.#results[slot];
    if (!results) throw new Error(`the predictor has ${predictorSlots} slots`);
    const started = performance.now();
    await this.gpu.mapped(results.buffer, 1, results.bytes, 'prediction');
    const { height, width } = this.setting.tile;
    const all = new Float32Array(results.buffer.getMappedRange());
    const maps = all.slice(0, count * height * width);
    const scores = all.slice(this.setting.batch * height * width, this.setting.batch * height * width + count);
    results.buffer.unmap();
    this.profiler?.host('wait and read back', started);
    return { maps, scores };
  }

  destroy(): void {
    for (const buffer of this.#results) buffer.destroy();
    this.#workspace?.destroy();
    this.#constants.destroy();
    this.frozen.destroy();
  }
}
