import { TilesightError } from './errors.js';
import { usage, type DeviceBuffer, type Gpu } from './gpu.js';
import { boundTensor, storage, type Tensor } from './graph.js';
import { kernelInterface, packParameters } from './kernel.js';
import { uniformStride, type Plan } from './plan.js';
import { decode, encode } from './encoding.js';
import { allocationSize } from './memory.js';
import type { Profiler } from './profiler.js';
import { byteLength, elementCount, type HostTensor } from './tensor.js';

/** A tensor's memory on the device. */
export interface DeviceTensor {
  readonly tensor: Tensor;
  readonly memory: DeviceBuffer;
}

const deviceUsage = usage.storage | usage.copySource | usage.copyDestination;

/**
 * Parameters on the device by name, so that several programs share one copy (the frozen backbone, the parameters of a
 * position). Names are unique in a pool.
 */
export class ParameterPool {
  readonly #tensors = new Map<string, DeviceTensor>();

  constructor(readonly gpu: Gpu) {}

  /** The parameter's memory; the first call allocates and fills it. */
  async get(tensor: Tensor): Promise<DeviceTensor> {
    const known = this.#tensors.get(tensor.name);
    if (known) return known;
    const memory = this.gpu.allocate(byteLength(tensor.shape, tensor.dtype), tensor.owner, tensor.name, deviceUsage);
    const made = { tensor, memory };
    this.#tensors.set(tensor.name, made);
    const contents = tensor.contents?.();
    if (contents) await this.write(tensor.name, contents);
    return made;
  }

  /** Overwrites a parameter with host data (32-bit floats; converted to the tensor's own type). */
  async write(name: string, contents: HostTensor): Promise<void> {
    const { tensor, memory } = this.#known(name);
    if (contents.data.length !== elementCount(tensor.shape)) {
      throw new TilesightError(
        'input',
        `parameter ${name} wants [${tensor.shape.join(', ')}], got [${contents.shape.join(', ')}]`,
      );
    }
    await this.gpu.upload(memory.buffer, 0, encode(contents.data, tensor.dtype));
  }

  /** Copies a parameter to the host. */
  async read(name: string): Promise<HostTensor> {
    const { tensor, memory } = this.#known(name);
    const raw = new Uint8Array(Math.ceil(byteLength(tensor.shape, tensor.dtype) / 4) * 4);
    await this.gpu.download(memory.buffer, 0, raw);
    return { shape: tensor.shape, data: decode(raw, tensor.dtype, elementCount(tensor.shape)) };
  }

  /** Sets a parameter to zeros. */
  clear(name: string): void {
    const encoder = this.gpu.device.createCommandEncoder({ label: `clear ${name}` });
    encoder.clearBuffer(this.#known(name).memory.buffer);
    this.gpu.submit(encoder);
  }

  /** The memory of a parameter that is already there. */
  known(name: string): DeviceTensor | undefined {
    return this.#tensors.get(name);
  }

  #known(name: string): DeviceTensor {
    const known = this.#tensors.get(name);
    if (!known) throw new Error(`no parameter ${name} on the device`);
    return known;
  }

  /** Frees all parameters. */
  destroy(): void {
    for (const { memory } of this.#tensors.values()) memory.destroy();
    this.#tensors.clear();
  }
}

interface Slot {
  /** Host-visible copies of the inputs; mapped for writing whenever they are not in use by a run. */
  readonly staging: ReadonlyMap<Tensor, DeviceBuffer>;
  /** Host-visible copies of the outputs. */
  readonly readback: ReadonlyMap<Tensor, DeviceBuffer>;
  /** Resolves when the staging buffers are mapped again. */
  writable: Promise<unknown>;
  written: Set<Tensor>;
}

interface BoundStep {
  readonly label: string;
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly workgroups: readonly [number, number, number];
}

/** What a program is bound to besides its plan. */
export interface ProgramOptions {
  /** Memory that belongs to others: outputs of another program as inputs, shared parameters. */
  readonly bind?: ReadonlyMap<Tensor, DeviceTensor>;
  /** Where the parameters live; default a pool of the program's own. */
  readonly pool?: ParameterPool;
  readonly profiler?: Profiler | undefined;
  /**
   * Another program of the same plan whose memory this one uses, parameters aside: the same computation with other
   * weights costs a set of bind groups and no memory. The two must not run at the same time in one encoder's pass.
   */
  readonly workspace?: Program;
}

/**
 * A plan bound to device memory. A run allocates nothing, creates no bind group and submits once:
 * `await write(slot, …)`, `run(slot)`, `await read(slot)`; with two slots, one is filled and read while the other computes.
 */
export class Program {
  #profiler: Profiler | undefined;
  #destroyed = false;

  private constructor(
    readonly gpu: Gpu,
    readonly plan: Plan,
    readonly pool: ParameterPool,
    private readonly ownsPool: boolean,
    private readonly steps: readonly BoundStep[],
    private readonly memory: ReadonlyMap<Tensor, DeviceTensor>,
    private readonly owned: readonly DeviceBuffer[],
    private readonly slots: readonly Slot[],
    /** @internal Parameter blocks of the steps, the same for every program of one plan. */
    readonly uniforms: DeviceBuffer,
    profiler: Profiler | undefined,
  ) {
    this.#profiler = profiler;
  }

  /** Allocates a plan's memory, fills its parameters and creates its pipelines and bind groups. */
  static async create(gpu: Gpu, plan: Plan, options: ProgramOptions = {}): Promise<Program> {
    const pool = options.pool ?? new ParameterPool(gpu);
    const owned: DeviceBuffer[] = [];
    try {
      return await gpu.checked(`loading ${plan.name}`, () => bindPlan(gpu, plan, pool, owned, options));
    } catch (error) {
      for (const buffer of owned) buffer.destroy();
      if (!options.pool) pool.destroy();
      throw error;
    }
  }

  /** @internal */
  static bound(
    gpu: Gpu,
    plan: Plan,
    pool: ParameterPool,
    ownsPool: boolean,
    parts: {
      steps: BoundStep[];
      memory: Map<Tensor, DeviceTensor>;
      owned: DeviceBuffer[];
      slots: Slot[];
      uniforms: DeviceBuffer;
    },
    profiler: Profiler | undefined,
  ): Program {
    return new Program(
      gpu,
      plan,
      pool,
      ownsPool,
      parts.steps,
      parts.memory,
      parts.owned,
      parts.slots,
      parts.uniforms,
      profiler,
    );
  }

  /** The device memory of an input, output or parameter, to bind another program to it. */
  deviceTensor(tensor: Tensor): DeviceTensor {
    const found = this.memory.get(storage(tensor));
    if (!found) throw new Error(`${this.plan.name} keeps no memory for ${tensor.name}`);
    return found;
  }

  /** Writes one input of a slot; waits until the slot's last run has taken its inputs. Shorter data fills the front. */
  async write(slot: number, input: Tensor, data: ArrayBufferView): Promise<void> {
    const used = this.#slot(slot);
    await used.writable;
    this.gpu.assertHealthy(this.plan.name);
    const staging = used.staging.get(input);
    if (!staging) throw new Error(`${this.plan.name} takes no input ${input.name} from the host`);
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    if (bytes.length > staging.bytes)
      throw new Error(`${input.name}: ${bytes.length} bytes given, ${staging.bytes} wanted`);
    new Uint8Array(staging.buffer.getMappedRange()).set(bytes);
    staging.buffer.unmap();
    used.written.add(input);
  }

  /** Submits one run. `readBack` copies the outputs that the host reads; leave it out where nothing will be read. */
  run(slot = 0, readBack = true): void {
    const encoder = this.gpu.device.createCommandEncoder({ label: this.plan.name });
    this.encode(encoder, slot);
    if (readBack) {
      for (const [output, buffer] of this.#slot(slot).readback) {
        encoder.copyBufferToBuffer(this.deviceTensor(output).memory.buffer, 0, buffer.buffer, 0, buffer.bytes);
      }
    }
    this.gpu.submit(encoder);
    this.submitted(slot);
  }

  /** Appends a run to an encoder that others share; {@link submitted} must follow its submit. */
  encode(encoder: GPUCommandEncoder, slot = 0): void {
    this.gpu.assertHealthy(this.plan.name);
    const used = this.slots[slot];
    for (const input of used?.written ?? []) {
      const staging = used?.staging.get(input);
      if (staging) {
        encoder.copyBufferToBuffer(staging.buffer, 0, this.deviceTensor(input).memory.buffer, 0, staging.bytes);
      }
    }
    if (this.#profiler) this.#profiler.encode(encoder, this.plan.name, this.steps);
    else encodeSteps(encoder, this.plan.name, this.steps);
    this.gpu.counters.dispatches += this.steps.length;
  }

  /** Tells that what was encoded has been submitted: the slot's inputs become writable once the device took them. */
  submitted(slot = 0): void {
    this.#profiler?.submitted();
    const used = this.slots[slot];
    if (!used || used.written.size === 0) return;
    const mappings = [...used.written].flatMap((input) => used.staging.get(input)?.buffer.mapAsync(2) ?? []);
    used.writable = this.gpu.waiting(Promise.all(mappings)).catch(() => undefined);
    used.written = new Set();
  }

  /**
   * Reads an output of the slot's last run into `target` (32-bit words as they lie on the device; f32 by default).
   * Copies straight out of the mapped memory.
   */
  async read(slot: number, output: Tensor, target?: Float32Array | Uint32Array): Promise<Float32Array> {
    const buffer = this.#slot(slot).readback.get(output);
    if (!buffer) throw new Error(`${this.plan.name} does not read ${output.name} back`);
    const count = elementCount(output.shape);
    const size = byteLength(output.shape, output.dtype);
    await this.gpu.mapped(buffer.buffer, 1, buffer.bytes, this.plan.name);
    const mapped = buffer.buffer.getMappedRange(0, buffer.bytes);
    let result: Float32Array;
    if (target) {
      new Uint8Array(target.buffer, target.byteOffset, target.byteLength).set(
        new Uint8Array(mapped, 0, Math.min(size, target.byteLength)),
      );
      result =
        target instanceof Float32Array ? target : new Float32Array(target.buffer, target.byteOffset, target.length);
    } else {
      result = decode(new Uint8Array(mapped, 0, Math.ceil(size / 4) * 4).slice(), output.dtype, count);
    }
    buffer.buffer.unmap();
    return result;
  }

  /** Writes the given inputs, runs, and reads every output: the plain way, without overlap. */
  async execute(inputs: ReadonlyMap<Tensor, ArrayBufferView>): Promise<Map<Tensor, Float32Array>> {
    for (const [input, data] of inputs) await this.write(0, input, data);
    this.run(0);
    // All at once: each wait for the device costs more than the copy.
    const outputs = [...this.#slot(0).readback.keys()];
    return new Map(await Promise.all(outputs.map(async (output) => [output, await this.read(0, output)] as const)));
  }

  /** Frees everything but what was bound from outside. */
  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    for (const buffer of this.owned) buffer.destroy();
    if (this.ownsPool) this.pool.destroy();
  }

  #slot(index: number): Slot {
    const slot = this.slots[index];
    if (!slot) throw new Error(`${this.plan.name} has ${this.slots.length} slots, there is no slot ${index}`);
    return slot;
  }
}

async function bindPlan(
  gpu: Gpu,
  plan: Plan,
  pool: ParameterPool,
  owned: DeviceBuffer[],
  options: ProgramOptions,
): Promise<Program> {
  const memory = new Map<Tensor, DeviceTensor>();
  const places = new Map(
    plan.buffers.flatMap(({ tensors, offsets }) => tensors.map((tensor, i) => [tensor, offsets[i] ?? 0] as const)),
  );
  const allocate = (bytes: number, owner: string, label: string, usages: number): DeviceBuffer => {
    const buffer = gpu.allocate(bytes, owner, label, usages);
    owned.push(buffer);
    return buffer;
  };
  for (const [tensor, given] of options.bind ?? []) memory.set(storage(tensor), given);
  const { workspace } = options;
  if (workspace) {
    if (workspace.plan !== plan) throw new Error(`${plan.name}: a workspace must be of the same plan`);
    for (const tensor of [
      ...plan.buffers.flatMap((buffer) => buffer.tensors),
      ...plan.inputs,
      ...plan.outputs.map(storage),
    ]) {
      if (!memory.has(tensor) && tensor.kind !== 'parameter') memory.set(tensor, workspace.deviceTensor(tensor));
    }
  }
  for (const parameter of plan.parameters) {
    if (!memory.has(parameter)) memory.set(parameter, await pool.get(parameter));
  }
  for (const buffer of workspace ? [] : plan.buffers) {
    const made = allocate(buffer.bytes, 'activations', buffer.tensors[0]?.name ?? plan.name, deviceUsage);
    for (const tensor of buffer.tensors) memory.set(tensor, { tensor, memory: made });
  }
  for (const tensor of [...plan.inputs, ...plan.outputs.map(storage)]) {
    if (memory.has(tensor)) continue;
    const owner = tensor.kind === 'input' ? 'inputs' : 'outputs';
    memory.set(tensor, {
      tensor,
      memory: allocate(byteLength(tensor.shape, tensor.dtype), owner, tensor.name, deviceUsage),
    });
  }
  const slots: Slot[] = [];
  const fromHost = plan.hostInputs.filter((input) => !options.bind?.has(input));
  for (let index = 0; index < (workspace ? 0 : plan.slots); index++) {
    const staging = new Map<Tensor, DeviceBuffer>();
    for (const input of fromHost) {
      const bytes = byteLength(input.shape, input.dtype);
      staging.set(input, allocate(bytes, 'slots', `${input.name} staging ${index}`, usage.mapWrite | usage.copySource));
    }
    const readback = new Map<Tensor, DeviceBuffer>();
    for (const output of plan.hostOutputs) {
      const bytes = byteLength(output.shape, output.dtype);
      readback.set(
        output,
        allocate(bytes, 'slots', `${output.name} read-back ${index}`, usage.mapRead | usage.copyDestination),
      );
    }
    slots.push({ staging, readback, writable: Promise.resolve(), written: new Set() });
  }

  const stride = uniformStride(plan.adapter);
  const uniforms =
    workspace?.uniforms ??
    allocate(plan.steps.length * stride, 'uniforms', `${plan.name} parameters`, usage.uniform | usage.copyDestination);
  const blocks = new Uint32Array((plan.steps.length * stride) / 4);
  const compiled = await Promise.all(plan.steps.map((step) => gpu.pipeline(step.kernel)));
  const steps = plan.steps.map((step, index): BoundStep => {
    const { pipeline, layout } = compiled[index] ?? missing(step.kernel.name);
    const entries: GPUBindGroupEntry[] = step.bindings.map((binding, number) => {
      const tensor = storage(boundTensor(binding));
      const { buffer } = (memory.get(tensor) ?? missing(tensor.name)).memory;
      const view = 'tensor' in binding ? binding : undefined;
      const within = view?.offsetBytes ?? 0;
      const size = view?.sizeBytes ?? allocationSize(byteLength(tensor.shape, tensor.dtype)) - within;
      return { binding: number, resource: { buffer, offset: (places.get(tensor) ?? 0) + within, size } };
    });
    const { parameterBinding } = kernelInterface(step.kernel);
    if (parameterBinding !== undefined) {
      const words = packParameters(step.kernel, step.parameters);
      blocks.set(words, (index * stride) / 4);
      const size = Math.ceil(words.byteLength / 16) * 16;
      entries.push({ binding: parameterBinding, resource: { buffer: uniforms.buffer, offset: index * stride, size } });
    }
    gpu.counters.bindGroups += 1;
    return {
      label: step.kernel.name,
      pipeline,
      bindGroup: gpu.device.createBindGroup({ label: step.kernel.name, layout, entries }),
      workgroups: step.workgroups,
    };
  });
  if (blocks.length > 0 && !workspace) gpu.device.queue.writeBuffer(uniforms.buffer, 0, blocks);
  return Program.bound(
    gpu,
    plan,
    pool,
    options.pool === undefined,
    { steps, memory, owned, slots, uniforms },
    options.profiler,
  );
}

function encodeSteps(encoder: GPUCommandEncoder, label: string, steps: readonly BoundStep[]): void {
  const pass = encoder.beginComputePass({ label });
  for (const step of steps) {
    pass.setPipeline(step.pipeline);
    pass.setBindGroup(0, step.bindGroup);
    pass.dispatchWorkgroups(...step.workgroups);
  }
  pass.end();
}

function missing(name: string): never {
  throw new Error(`nothing is bound for ${name}`);
}
