import { Graph, type Tensor } from '../../src/engine/graph.js';
import type { Program } from '../../src/engine/program.js';
import { elementCount, type HostTensor, type Shape } from '../../src/engine/tensor.js';
import type { Reference } from '../../test/kernels/harness.js';
import type { MeasuredProgram } from '../programs.js';
import { randomNumbers } from '../random.js';
import type { Effort } from '../timing.js';

/** What is measured: its name, what it costs at least, and what it must compute. */
interface AnyCase {
  readonly kernel: string;
  readonly shape: string;
  /** Arithmetic of the plain algorithm, a multiply-add counted as two. */
  readonly flops: number;
  /** Bytes that must be read and written at least. */
  readonly bytes: number;
  /** Which roof bounds it on most adapters. */
  readonly bound: 'arithmetic' | 'memory';
  /** How often one run does it: times are of one. */
  readonly repeats?: number;
  /** f64 values of the first elements of the first output, with the bounds of 32-bit sums. */
  readonly reference?: () => Reference;
}

/** One operator at one shape: all its variants are measured. */
export interface OperatorCase extends AnyCase {
  /** The operator whose variants are forced; undefined where it has only one. */
  readonly operator: string | undefined;
  readonly graph: Graph;
  /** Outputs, or parameters that are updated. */
  readonly outputs: readonly Tensor[];
  /** The matrix product of the same sizes, which a search is compared with. */
  readonly product?: () => Graph;
  readonly prepare?: (program: Program) => Promise<void>;
}

/** What is more than one plan, as the host decides between them: measured by the wall clock. */
export interface HostCase extends AnyCase {
  readonly measure: (effort: Effort) => Promise<MeasuredProgram>;
}

/** One row of the bench, or one a variant. */
export type KernelCase = OperatorCase | HostCase;

export interface Builder {
  readonly graph: Graph;
  readonly parameter: (name: string, shape: Shape, scale?: number) => { tensor: Tensor; host: HostTensor };
}

export function builder(name: string): Builder {
  const graph = new Graph(name);
  let seed = 1;
  return {
    graph,
    parameter(label, shape, scale = 1) {
      const host = lazyTensor(shape, seed++, scale);
      return { tensor: graph.parameter(label, shape, { contents: () => host }), host };
    },
  };
}

export const bytesOf = (...shapes: readonly Shape[]): number =>
  shapes.reduce((sum, shape) => sum + 4 * elementCount(shape), 0);

export const times = (batch: number): string => (batch > 1 ? `${batch}×` : '');

/** Random numbers that are drawn when they are first looked at: a case that is left out costs nothing. */
export function lazyTensor(shape: Shape, seed: number, scale: number): HostTensor {
  let drawn: Float32Array | undefined;
  return {
    shape,
    get data() {
      return (drawn ??= randomNumbers(elementCount(shape), seed, scale));
    },
  };
}
