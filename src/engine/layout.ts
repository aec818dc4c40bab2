import { storage, boundTensor, type Dispatch, type Tensor } from './graph.js';
import { kernelInterface } from './kernel.js';
import { allocationSize } from './memory.js';
import { byteLength } from './tensor.js';

/** A physical buffer that several values use one after the other or side by side. */
export interface PlannedBuffer {
  readonly bytes: number;
  readonly tensors: readonly Tensor[];
  /** Where each of the tensors begins, in bytes. */
  readonly offsets: readonly number[];
}

interface Life {
  readonly first: number;
  last: number;
}

interface Value {
  readonly tensor: Tensor;
  readonly life: Life;
  readonly bytes: number;
}

interface Placed extends Value {
  readonly offset: number;
}

interface OpenBuffer {
  bytes: number;
  /** By offset. */
  readonly values: Placed[];
  readonly holds: Set<Tensor>;
}

const meet = (a: Life, b: Life): boolean => a.first <= b.last && b.first <= a.last;

/** Values that the steps make and use, largest first, with the steps between which they live. */
function livingValues(steps: readonly Dispatch[], kept: ReadonlySet<Tensor>): Value[] {
  const lives = new Map<Tensor, Life>();
  steps.forEach((step, index) => {
    for (const binding of step.bindings) {
      const tensor = storage(boundTensor(binding));
      if (tensor.kind !== 'value' || kept.has(tensor)) continue;
      const life = lives.get(tensor);
      if (life) life.last = index;
      else lives.set(tensor, { first: index, last: index });
    }
  });
  return [...lives]
    .map(([tensor, life]) => ({ tensor, life, bytes: allocationSize(byteLength(tensor.shape, tensor.dtype)) }))
    .sort((a, b) => b.bytes - a.bytes || a.tensor.id - b.tensor.id);
}

const closed = (buffers: readonly OpenBuffer[]): PlannedBuffer[] =>
  buffers.map(({ bytes, values }) => ({
    bytes,
    tensors: values.map(({ tensor }) => tensor),
    offsets: values.map(({ offset }) => offset),
  }));

/**
 * Gives every intermediate value a buffer: the largest values first, each into the smallest buffer that is free for its
 * whole life (greedy by size, arXiv 2001.03288). `kept` values get buffers of their own elsewhere.
 */
export function layOutBuffers(steps: readonly Dispatch[], kept: ReadonlySet<Tensor>): PlannedBuffer[] {
  const buffers: OpenBuffer[] = [];
  for (const value of livingValues(steps, kept)) {
    const free = buffers
      .filter(({ values }) => values.every(({ life }) => !meet(life, value.life)))
      .sort((a, b) => a.bytes - b.bytes)[0];
    if (free) free.values.push({ ...value, offset: 0 });
    else buffers.push({ bytes: value.bytes, values: [{ ...value, offset: 0 }], holds: new Set() });
  }
  return closed(buffers);
}

/**
 * Like {@link layOutBuffers}, but values that live at one time may lie side by side in one buffer, so that the sum of all
 * comes near the most bytes that live at once. The price: the device orders dispatches by buffer, so that it overlaps
 * fewer of them. Two values of which a dispatch writes one never share a buffer, which WebGPU forbids.
 */
export function layOutRanges(
  steps: readonly Dispatch[],
  kept: ReadonlySet<Tensor>,
  limits: { readonly maxBufferSize: number; readonly minStorageBufferOffsetAlignment: number },
): PlannedBuffer[] {
  const apart = writtenTogether(steps);
  const align = (offset: number): number =>
    Math.ceil(offset / limits.minStorageBufferOffsetAlignment) * limits.minStorageBufferOffsetAlignment;
  const buffers: OpenBuffer[] = [];
  for (const value of livingValues(steps, kept)) {
    const others = apart.get(value.tensor) ?? new Set();
    let best: { buffer: OpenBuffer; offset: number; growth: number } | undefined;
    for (const buffer of buffers) {
      if ([...others].some((other) => buffer.holds.has(other))) continue;
      let offset = 0;
      for (const other of buffer.values) {
        if (!meet(other.life, value.life)) continue;
        if (offset + value.bytes <= other.offset) break;
        offset = Math.max(offset, align(other.offset + other.bytes));
      }
      const growth = Math.max(0, offset + value.bytes - buffer.bytes);
      if (offset + value.bytes <= limits.maxBufferSize && growth < (best?.growth ?? value.bytes)) {
        best = { buffer, offset, growth };
      }
    }
    if (best) {
      const { buffer, offset, growth } = best;
      const place = buffer.values.findIndex((other) => other.offset > offset);
      buffer.values.splice(place < 0 ? buffer.values.length : place, 0, { ...value, offset });
      buffer.holds.add(value.tensor);
      buffer.bytes += growth;
    } else {
      buffers.push({ bytes: value.bytes, values: [{ ...value, offset: 0 }], holds: new Set([value.tensor]) });
    }
  }
  return closed(buffers);
}

/** Of every value those that a dispatch binds beside it, where it writes one of the two. */
function writtenTogether(steps: readonly Dispatch[]): Map<Tensor, Set<Tensor>> {
  const apart = new Map<Tensor, Set<Tensor>>();
  for (const step of steps) {
    const { bindings } = kernelInterface(step.kernel);
    const bound = step.bindings.map((binding, index) => ({
      tensor: storage(boundTensor(binding)),
      written: bindings[index]?.access !== 'read',
    }));
    for (const a of bound) {
      for (const b of bound) {
        if (a.tensor === b.tensor || !(a.written || b.written)) continue;
        let others = apart.get(a.tensor);
        if (!others) apart.set(a.tensor, (others = new Set()));
        others.add(b.tensor);
      }
    }
  }
  return apart;
}
