import { TilesightError } from '../engine/errors.js';
import type { Graph, Tensor } from '../engine/graph.js';
import { elementCount, type DType } from '../engine/tensor.js';

/** Sizes of an NHWC tensor. */
export interface ImageShape {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** Sizes of an NHWC tensor by name; throws where it has another rank. */
export function imageShape(operator: string, tensor: Tensor): ImageShape {
  const [batch, height, width, channels] = tensor.shape;
  if (tensor.shape.length !== 4 || !batch || !height || !width || !channels) {
    throw wrong(operator, `wants [batch, height, width, channels], ${tensor.name} is [${tensor.shape.join(', ')}]`);
  }
  return { batch, height, width, channels };
}

/** A wrong use of an operator: one line with the operator's name. */
export function wrong(operator: string, problem: string): TilesightError {
  return new TilesightError('input', `${operator}: ${problem}`);
}

/** How many neighbouring elements a thread handles as one value of the kernel's `alias Value`. */
export interface Packing {
  readonly width: 1 | 4;
  /** Replaces `alias Value`, and `alias Mask` of kernels that compare values. */
  readonly aliases: Readonly<Record<string, string>>;
  /** For kernel names. */
  readonly suffix: string;
}

/** Vectors of four where every one of `counts` is a multiple of four, single elements otherwise. */
export function packing(...counts: readonly number[]): Packing {
  return counts.every((count) => count % 4 === 0) ? vectors : scalars;
}

/** {@link packing} for a kernel that also has `alias Mask`. */
export function maskedPacking(...counts: readonly number[]): Packing {
  const chosen = packing(...counts);
  return { ...chosen, aliases: { ...chosen.aliases, Mask: chosen.width === 4 ? 'vec4<bool>' : 'bool' } };
}

const vectors: Packing = { width: 4, aliases: { Value: 'vec4f' }, suffix: 'vec4' };
const scalars: Packing = { width: 1, aliases: { Value: 'f32' }, suffix: 'scalar' };

/**
 * A small table of numbers that a kernel reads, as a parameter of the graph. Tables with the same numbers are one
 * parameter, within a graph and among programs that share a pool: the name holds a hash of the contents.
 */
export function table(graph: Graph, name: string, data: Float32Array, dtype: DType = 'f32'): Tensor {
  const full = `${name}.${data.length}.${hash(data)}`;
  const known = graph.parameters.find((parameter) => parameter.name === full);
  if (known) return known;
  const shape = [data.length];
  return graph.parameter(full, shape, { dtype, owner: 'tables', contents: () => ({ shape, data }) });
}

/** FNV-1a over the bits, twice with different seeds. */
function hash(data: Float32Array): string {
  const words = new Uint32Array(data.buffer, data.byteOffset, data.length);
  let first = 0x811c9dc5;
  let second = 0x9747b28c;
  for (const word of words) {
    for (let shift = 0; shift < 32; shift += 8) {
      const byte = (word >>> shift) & 255;
      first = Math.imul(first ^ byte, 0x01000193);
      second = Math.imul(second ^ byte, 0x01000193);
      second ^= second >>> 15;
    }
  }
  return [first, second].map((value) => (value >>> 0).toString(16).padStart(8, '0')).join('');
}

/** Throws unless two tensors have as many elements. */
export function sameSize(operator: string, left: Tensor, right: Tensor): void {
  if (elementCount(left.shape) !== elementCount(right.shape)) {
    throw wrong(operator, `shapes [${left.shape.join(', ')}] and [${right.shape.join(', ')}] differ`);
  }
}
