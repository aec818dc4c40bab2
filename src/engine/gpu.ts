import { classifyAdapter, type AdapterClass, type AdapterProfile } from './adapter.js';
import { TilesightError } from './errors.js';
import { kernelInterface, kernelText, type Kernel } from './kernel.js';
import { Accountant, allocationSize } from './memory.js';

/** Size of one of the two windows through which large uploads pass, and of the one for downloads, in bytes. */
export const transferWindowBytes = 2 * 2 ** 20;

/** Options of {@link createGpu}. */
export interface GpuOptions {
  /** Bytes that may be allocated on the device; default no bound. */
  readonly memoryBudgetBytes?: number;
  /** Plans as if the adapter were of this class: for tests and benchmarks. */
  readonly adapterClass?: AdapterClass;
  /** Pretends a smaller `maxStorageBufferBindingSize`, so that chunking can be tested on small tensors. */
  readonly bindingLimitBytes?: number;
  /** Features to leave unused although the adapter has them, to bisect a problem. */
  readonly disableFeatures?: readonly string[];
  /** Which adapter to ask for where there are several. */
  readonly powerPreference?: GPUPowerPreference;
  /** Told of every operation of a software adapter that is waited for. */
  readonly onWait?: (operation: Promise<unknown>) => void;
}

/** Buffer usages, named here so that the platform-free code needs no global `GPUBufferUsage`. */
export const usage = {
  mapRead: 0x0001,
  mapWrite: 0x0002,
  copySource: 0x0004,
  copyDestination: 0x0008,
  uniform: 0x0040,
  storage: 0x0080,
  queryResolve: 0x0200,
} as const;

const usefulFeatures = ['shader-f16', 'subgroups', 'timestamp-query', 'chromium-experimental-subgroup-matrix'];

/** A buffer that the accountant knows. */
export interface DeviceBuffer {
  readonly buffer: GPUBuffer;
  readonly bytes: number;
  /** Frees it, once. */
  destroy(): void;
}

/** How often the costly things were done; constant between two steady-state steps, `submits` aside. */
export interface GpuCounters {
  submits: number;
  dispatches: number;
  bindGroups: number;
  pipelines: number;
}

interface CompiledKernel {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** V8 may collect Dawn's instance while devices made from it live, which crashes the process: so each is kept. */
const pinned = new Set<GPU>();

/**
 * A device with everything that belongs to it: the accountant, the pipeline cache, the windows for transfers and the
 * state of its health. Made by {@link createGpu}.
 */
export class Gpu {
  readonly memory: Accountant;
  readonly counters: GpuCounters = { submits: 0, dispatches: 0, bindGroups: 0, pipelines: 0 };
  readonly #pipelines = new Map<string, Promise<CompiledKernel>>();
  #failure: TilesightError | undefined;
  #closed = false;
  #uploadWindows: { window: DeviceBuffer; ready: Promise<void> }[] = [];
  #nextWindow = 0;
  #downloadWindow: DeviceBuffer | undefined;
  #downloads: Promise<void> = Promise.resolve();
  readonly #onWait: GpuOptions['onWait'];

  constructor(
    readonly device: GPUDevice,
    readonly profile: AdapterProfile,
    /** The driver's description, for reports. */
    readonly driver: string,
    options: GpuOptions,
  ) {
    this.memory = new Accountant(options.memoryBudgetBytes);
    this.#onWait = profile.class === 'hardware' ? undefined : options.onWait;
    device.addEventListener('uncapturederror', (event) => {
      this.#failure ??= new TilesightError('device', `the device reported: ${oneLine(event.error.message)}`);
    });
    void device.lost.then((info) => {
      if (this.#closed) return;
      this.#failure = new TilesightError(
        'device',
        `the device was lost (${oneLine(info.message) || info.reason}): run the same command again, it goes on where it stopped`,
      );
    });
  }

  /** @internal Every wait for the device goes through here. */
  waiting<T>(operation: Promise<T>): Promise<T> {
    this.#onWait?.(operation);
    return operation;
  }

  /** Throws what the device reported since, if anything. Called wherever results are awaited. */
  assertHealthy(stage: string): void {
    if (this.#failure)
      throw new TilesightError('device', `${stage}: ${this.#failure.message}`, { cause: this.#failure });
    if (this.#closed) throw new TilesightError('device', `${stage}: the device was closed before this`);
  }

  /** Allocates a buffer; `owner` groups bytes in the account (`weights`, `activations`, …). */
  allocate(bytes: number, owner: string, label: string, usages: number): DeviceBuffer {
    this.assertHealthy(label);
    const size = allocationSize(bytes);
    this.memory.allocate(size, owner, label);
    const mapped = (usages & usage.mapWrite) !== 0;
    const buffer = this.device.createBuffer({ size, usage: usages, label, mappedAtCreation: mapped });
    let alive = true;
    return {
      buffer,
      bytes: size,
      destroy: () => {
        if (!alive) return;
        alive = false;
        buffer.destroy();
        this.memory.release(size, owner);
      },
    };
  }

  /** @internal The compute pipeline of a kernel, compiled once per text. A compile error prints the line it is in. */
  async pipeline(kernel: Kernel): Promise<CompiledKernel> {
    const text = kernelText(kernel);
    let compiled = this.#pipelines.get(text);
    if (!compiled) {
      compiled = this.#compile(kernel, text);
      this.#pipelines.set(text, compiled);
    }
    return compiled;
  }

  async #compile(kernel: Kernel, text: string): Promise<CompiledKernel> {
    const { bindings, parameterBinding } = kernelInterface(kernel);
    this.counters.pipelines += 1;
    return this.checked(`kernel ${kernel.name}`, async () => {
      const module = this.device.createShaderModule({ code: text, label: kernel.name });
      const problems = (await this.waiting(module.getCompilationInfo())).messages.filter(
        (message) => message.type === 'error',
      );
      const first = problems[0];
      if (first) {
        const line = text.split('\n')[first.lineNum - 1] ?? '';
        throw new Error(`kernel ${kernel.name}, line ${first.lineNum}: ${first.message}\n  ${line.trim()}`);
      }
      const entries: GPUBindGroupLayoutEntry[] = bindings.map((binding, index) => ({
        binding: index,
        visibility: 4,
        buffer: { type: binding.access === 'read' ? 'read-only-storage' : 'storage' },
      }));
      if (parameterBinding !== undefined) {
        entries.push({ binding: parameterBinding, visibility: 4, buffer: { type: 'uniform' } });
      }
      const layout = this.device.createBindGroupLayout({ entries, label: kernel.name });
      const pipeline = await this.waiting(
        this.device.createComputePipelineAsync({
          label: kernel.name,
          layout: this.device.createPipelineLayout({ bindGroupLayouts: [layout] }),
          compute: { module, entryPoint: 'main' },
        }),
      );
      return { pipeline, layout };
    });
  }

  /** Runs `body` inside error scopes, so that a validation or memory error is thrown here instead of lost. */
  async checked<T>(stage: string, body: () => Promise<T> | T): Promise<T> {
    this.assertHealthy(stage);
    const scopes: GPUErrorFilter[] = ['validation', 'out-of-memory', 'internal'];
    for (const scope of scopes) this.device.pushErrorScope(scope);
    let result: T;
    let found: TilesightError | undefined;
    try {
      result = await body();
    } finally {
      for (let i = 0; i < scopes.length; i++) {
        const error = await this.waiting(this.device.popErrorScope());
        if (error) found ??= new TilesightError('device', `${stage}: the device reported: ${oneLine(error.message)}`);
      }
    }
    if (found) throw found;
    this.assertHealthy(stage);
    return result;
  }

  /** Submits one command buffer. */
  submit(encoder: GPUCommandEncoder): void {
    this.counters.submits += 1;
    this.device.queue.submit([encoder.finish()]);
  }

  /** Resolves when everything submitted so far is done. */
  async idle(stage: string): Promise<void> {
    await this.waiting(this.device.queue.onSubmittedWorkDone());
    this.assertHealthy(stage);
  }

  /**
   * Copies host bytes into a device buffer in blocks through two windows: while the device copies one block out of a
   * window, the next is written into the other. In order with everything submitted.
   */
  async upload(target: GPUBuffer, offset: number, source: ArrayBufferView): Promise<void> {
    const bytes = new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
    if (this.#uploadWindows.length === 0) {
      for (let i = 0; i < 2; i++) {
        const usages = usage.mapWrite | usage.copySource;
        const window = this.allocate(transferWindowBytes, 'transfer', `upload window ${i}`, usages);
        this.#uploadWindows.push({ window, ready: Promise.resolve() });
      }
    }
    for (let done = 0; done < bytes.length; done += transferWindowBytes) {
      const slot = this.#uploadWindows[this.#nextWindow];
      this.#nextWindow = 1 - this.#nextWindow;
      if (!slot) throw new Error('no upload window');
      // Claimed before the wait, so that concurrent uploads queue up instead of writing into one window.
      const before = slot.ready;
      let release: () => void = () => undefined;
      slot.ready = new Promise<void>((resolve) => (release = resolve));
      await before;
      this.assertHealthy('upload');
      const { buffer } = slot.window;
      const block = bytes.subarray(done, Math.min(bytes.length, done + transferWindowBytes));
      const size = Math.ceil(block.length / 4) * 4;
      new Uint8Array(buffer.getMappedRange(0, size)).set(block);
      buffer.unmap();
      const encoder = this.device.createCommandEncoder({ label: 'upload' });
      encoder.copyBufferToBuffer(buffer, 0, target, offset + done, size);
      this.submit(encoder);
      void this.waiting(buffer.mapAsync(2)).then(release, release);
    }
  }

  /** Copies device bytes to the host, in blocks through one window. `target.byteLength` must be a multiple of 4. */
  async download(source: GPUBuffer, offset: number, target: ArrayBufferView): Promise<void> {
    const previous = this.#downloads;
    let release: () => void = () => undefined;
    this.#downloads = new Promise<void>((resolve) => (release = resolve));
    try {
      await previous;
      const bytes = new Uint8Array(target.buffer, target.byteOffset, target.byteLength);
      const usages = usage.mapRead | usage.copyDestination;
      this.#downloadWindow ??= this.allocate(transferWindowBytes, 'transfer', 'download window', usages);
      const { buffer } = this.#downloadWindow;
      for (let done = 0; done < bytes.length; done += transferWindowBytes) {
        const size = Math.min(transferWindowBytes, bytes.length - done);
        const encoder = this.device.createCommandEncoder({ label: 'download' });
        encoder.copyBufferToBuffer(source, offset + done, buffer, 0, size);
        this.submit(encoder);
        await this.mapped(buffer, 1, size, 'download');
        bytes.set(new Uint8Array(buffer.getMappedRange(0, size)), done);
        buffer.unmap();
      }
    } finally {
      release();
    }
  }

  /** Maps a buffer and turns a failure into the device's own message. */
  async mapped(buffer: GPUBuffer, mode: GPUMapModeFlags, size: number, stage: string): Promise<void> {
    try {
      await this.waiting(buffer.mapAsync(mode, 0, size));
    } catch (cause) {
      this.assertHealthy(stage);
      throw new TilesightError('device', `${stage}: reading from the device failed (${oneLine(String(cause))})`, {
        cause,
      });
    }
    this.assertHealthy(stage);
  }

  /** Frees the windows and the device. Nothing of this device may be used afterwards. */
  destroy(): void {
    this.#closed = true;
    for (const { window } of this.#uploadWindows) window.destroy();
    this.#downloadWindow?.destroy();
    this.#uploadWindows = [];
    this.#downloadWindow = undefined;
    this.device.queue.submit([]);
    this.device.destroy();
  }
}

/**
 * Opens a device on the best adapter that `api` offers, with the adapter's own limits and every feature that a kernel
 * variant can use. One adapter gives one device.
 */
export async function createGpu(api: GPU, options: GpuOptions = {}): Promise<Gpu> {
  pinned.add(api);
  const adapter = await api.requestAdapter({ powerPreference: options.powerPreference ?? 'high-performance' });
  if (!adapter) {
    throw new TilesightError(
      'device',
      'no WebGPU adapter: install a Vulkan driver (Debian and Ubuntu: mesa-vulkan-drivers 24 or newer and libvulkan1), ' +
        'then see `tilesight doctor`',
    );
  }
  const { limits, info } = adapter;
  const features = new Set(
    usefulFeatures.filter((name) => adapter.features.has(name) && !options.disableFeatures?.includes(name)),
  );
  const requiredLimits = {
    maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
    maxBufferSize: limits.maxBufferSize,
    maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
    maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
    maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
    maxComputeWorkgroupSizeY: limits.maxComputeWorkgroupSizeY,
    maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
  };
  const device = await adapter.requestDevice({ requiredFeatures: [...features] as GPUFeatureName[], requiredLimits });
  const name = info.description || info.device || info.vendor || 'unnamed adapter';
  const fixed = features.has('subgroups') && info.subgroupMinSize === info.subgroupMaxSize;
  const profile: AdapterProfile = {
    name,
    class: options.adapterClass ?? classifyAdapter(`${name} ${info.device} ${info.architecture}`),
    features,
    subgroupSize: fixed ? info.subgroupMinSize : undefined,
    subgroupMatrix: features.has('chromium-experimental-subgroup-matrix') ? subgroupMatrixOf(info) : undefined,
    limits: {
      maxStorageBufferBindingSize: Math.min(
        device.limits.maxStorageBufferBindingSize,
        options.bindingLimitBytes ?? Infinity,
      ),
      maxBufferSize: device.limits.maxBufferSize,
      maxComputeWorkgroupsPerDimension: device.limits.maxComputeWorkgroupsPerDimension,
      maxComputeInvocationsPerWorkgroup: device.limits.maxComputeInvocationsPerWorkgroup,
      maxComputeWorkgroupStorageSize: device.limits.maxComputeWorkgroupStorageSize,
      maxStorageBuffersPerShaderStage: device.limits.maxStorageBuffersPerShaderStage,
      minStorageBufferOffsetAlignment: device.limits.minStorageBufferOffsetAlignment,
      minUniformBufferOffsetAlignment: device.limits.minUniformBufferOffsetAlignment,
    },
  };
  return new Gpu(
    device,
    profile,
    [info.vendor, info.architecture, info.device, info.description].join(' ').trim(),
    options,
  );
}

/** An experiment of Dawn's: what matrix units there are, where the feature is switched on. */
interface MatrixInfo {
  readonly subgroupMatrixConfigs?: Iterable<{
    readonly componentType: string;
    readonly resultComponentType: string;
    readonly M: number;
    readonly N: number;
    readonly K: number;
  }>;
}

/** The matrix unit for 16-bit operands and 32-bit sums whose blocks divide those of the kernels: the squarest. */
function subgroupMatrixOf(info: GPUAdapterInfo): AdapterProfile['subgroupMatrix'] {
  const fitting = [...((info as MatrixInfo).subgroupMatrixConfigs ?? [])].filter(
    ({ componentType, resultComponentType, M, N, K }) =>
      componentType === 'f16' && resultComponentType === 'f32' && 32 % M === 0 && 16 % N === 0 && 32 % K === 0,
  );
  const [best] = fitting.sort((a, b) => Math.abs(a.M - a.N) - Math.abs(b.M - b.N));
  return best && { m: best.M, n: best.N, k: best.K };
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
