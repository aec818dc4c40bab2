import { usage, type DeviceBuffer, type Gpu } from './gpu.js';

/** A measured span, in microseconds: of the device (timestamps) or of the host (performance.now). */
export interface Span {
  readonly name: string;
  /** `device` spans are kernels or whole passes; the others are stages of the host. */
  readonly track: 'device' | 'host';
  readonly start: number;
  readonly duration: number;
}

interface EncodableStep {
  readonly label: string;
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly workgroups: readonly [number, number, number];
}

interface Pending {
  readonly labels: readonly string[];
  readonly querySet: GPUQuerySet;
  readonly resolved: DeviceBuffer;
  readonly readable: DeviceBuffer;
}

/**
 * Measures where time goes. With `level: 'kernel'` every dispatch gets a pass of its own between two timestamps, with
 * `level: 'pass'` a whole run does (almost free: what `bench ensemble` counts idle time with). Host stages are added by
 * {@link host}. Needs the adapter feature `timestamp-query` for device spans; without it only host spans come.
 */
export class Profiler {
  readonly spans: Span[] = [];
  #pending: Pending[] = [];
  #collecting: Promise<void>[] = [];
  readonly #timestamps: boolean;
  readonly #origin = performance.now();
  /** Host time in microseconds of the device clock's zero, from the first pass measured. */
  #deviceOffset: number | undefined;

  constructor(
    readonly gpu: Gpu,
    readonly level: 'kernel' | 'pass' = 'kernel',
  ) {
    this.#timestamps = gpu.profile.features.has('timestamp-query');
  }

  /** @internal Encodes a program's steps with timestamps around them. */
  encode(encoder: GPUCommandEncoder, name: string, steps: readonly EncodableStep[]): void {
    const groups = this.level === 'kernel' ? steps.map((step) => [step]) : [steps];
    const count = groups.length * 2;
    const querySet =
      this.#timestamps && count > 0 && count <= 4096
        ? this.gpu.device.createQuerySet({ type: 'timestamp', count, label: name })
        : undefined;
    groups.forEach((group, index) => {
      const timestampWrites = querySet && {
        querySet,
        beginningOfPassWriteIndex: index * 2,
        endOfPassWriteIndex: index * 2 + 1,
      };
      const pass = encoder.beginComputePass({ label: name, ...(timestampWrites && { timestampWrites }) });
      for (const step of group) {
        pass.setPipeline(step.pipeline);
        pass.setBindGroup(0, step.bindGroup);
        pass.dispatchWorkgroups(...step.workgroups);
      }
      pass.end();
    });
    if (!querySet) return;
    const resolved = this.gpu.allocate(count * 8, 'profile', name, usage.queryResolve | usage.copySource);
    const readable = this.gpu.allocate(count * 8, 'profile', name, usage.mapRead | usage.copyDestination);
    encoder.resolveQuerySet(querySet, 0, count, resolved.buffer, 0);
    encoder.copyBufferToBuffer(resolved.buffer, 0, readable.buffer, 0, count * 8);
    const labels = this.level === 'kernel' ? steps.map((step) => step.label) : [name];
    this.#pending.push({ labels, querySet, resolved, readable });
  }

  /** Starts reading the timestamps of what was encoded; called after the submit. */
  submitted(): void {
    for (const pending of this.#pending) this.#collecting.push(this.#collect(pending));
    this.#pending = [];
  }

  /** Adds a stage of the host that took from `start` (performance.now) until now. */
  host(name: string, start: number): void {
    const now = performance.now();
    this.spans.push({ name, track: 'host', start: (start - this.#origin) * 1000, duration: (now - start) * 1000 });
  }

  /** Waits for all timestamps and gives the spans, device and host, by start. */
  async finish(): Promise<readonly Span[]> {
    await Promise.all(this.#collecting);
    this.#collecting = [];
    this.spans.sort((a, b) => a.start - b.start);
    return this.spans;
  }

  async #collect({ labels, querySet, resolved, readable }: Pending): Promise<void> {
    await this.gpu.waiting(readable.buffer.mapAsync(1));
    const times = new BigUint64Array(readable.buffer.getMappedRange().slice(0));
    readable.buffer.unmap();
    this.#deviceOffset ??= (performance.now() - this.#origin) * 1000 - Number((times.at(-1) ?? 0n) / 1000n);
    labels.forEach((name, index) => {
      const [begin, end] = [times[index * 2] ?? 0n, times[index * 2 + 1] ?? 0n];
      const start = Number(begin) / 1000 + (this.#deviceOffset ?? 0);
      this.spans.push({ name, track: 'device', start, duration: Number(end - begin) / 1000 });
    });
    querySet.destroy();
    resolved.destroy();
    readable.destroy();
  }
}

/** Total time by name, longest first, in milliseconds. */
export function summarise(
  spans: readonly Span[],
  track: Span['track'],
): { name: string; milliseconds: number; count: number }[] {
  const totals = new Map<string, { milliseconds: number; count: number }>();
  for (const span of spans) {
    if (span.track !== track) continue;
    const total = totals.get(span.name) ?? { milliseconds: 0, count: 0 };
    total.milliseconds += span.duration / 1000;
    total.count += 1;
    totals.set(span.name, total);
  }
  return [...totals].map(([name, total]) => ({ name, ...total })).sort((a, b) => b.milliseconds - a.milliseconds);
}

/** The spans in the format of Chrome's and Perfetto's trace viewers. */
export function chromeTrace(spans: readonly Span[]): { traceEvents: object[]; displayTimeUnit: 'ms' } {
  const threads = { host: 1, device: 2 };
  const names = Object.entries(threads).map(([name, tid]) => ({
    name: 'thread_name',
    ph: 'M',
    pid: 1,
    tid,
    args: { name },
  }));
  const events = spans.map((span) => ({
    name: span.name,
    ph: 'X',
    pid: 1,
    tid: threads[span.track],
    ts: span.start,
    dur: span.duration,
  }));
  return { traceEvents: [...names, ...events], displayTimeUnit: 'ms' };
}
