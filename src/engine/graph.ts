import type { AdapterProfile } from './adapter.js';
import type { Kernel } from './kernel.js';
import { elementCount, type DType, type HostTensor, type Shape } from './tensor.js';

/**
 * What a tensor is to its graph:
 * - `input`: written by the host before a run;
 * - `parameter`: lives on the device between runs (weights, statistics, optimiser state); operators may update it in place;
 * - `value`: computed in a run; its memory is shared with others by liveness unless it is an output.
 */
export type TensorKind = 'input' | 'parameter' | 'value';

/** A tensor of a static graph. */
export interface Tensor {
  readonly id: number;
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: DType;
  readonly kind: TensorKind;
  /** Of a parameter: its contents, computed when a program is loaded. Undefined: starts as zeros or is given then. */
  readonly contents: (() => HostTensor) | undefined;
  /** Of a parameter: who owns its bytes in the account. */
  readonly owner: string;
  /** The tensor whose memory this one is another view of (a reshape). */
  readonly alias: Tensor | undefined;
}

/** A part of a tensor's memory that a dispatch binds. Offsets must keep the device's alignment. */
export interface BufferView {
  readonly tensor: Tensor;
  readonly offsetBytes?: number;
  readonly sizeBytes?: number;
}

/** One kernel launch of a plan. */
export interface Dispatch {
  readonly kernel: Kernel;
  /** In the order of the kernel's storage bindings. */
  readonly bindings: readonly (Tensor | BufferView)[];
  readonly parameters: Readonly<Record<string, number>>;
  readonly workgroups: readonly [number, number, number];
  /** Arithmetic it does, for profiles: a multiply-add counts two. */
  readonly flops?: number;
}

/** One of several ways to compute an operator. */
export interface Variant {
  readonly name: string;
}

/** What an operator's lowering can ask for and say. */
export interface Lowering {
  readonly adapter: AdapterProfile;
  /** Appends a kernel launch to the plan. */
  dispatch(dispatch: Dispatch): void;
  /** A tensor that only this operator uses. */
  temporary(name: string, shape: Shape, dtype?: DType): Tensor;
  /**
   * A parameter computed on the host from another when the program is loaded (packed or transformed weights); the same
   * `key` on the same source is made once. Undefined when the source can change on the device.
   */
  derived(
    source: Tensor,
    key: string,
    shape: Shape,
    compute: (source: HostTensor) => HostTensor,
    dtype?: DType,
  ): Tensor | undefined;
  /** Whether a parameter's contents are known while loading and never change on the device. */
  isConstant(tensor: Tensor): boolean;
  /**
   * Picks a variant: the forced one (if it is among `variants`), else the winner of the tuning table for `shapeKey`,
   * else `preferred`.
   */
  choose<V extends Variant>(operator: string, shapeKey: string, variants: readonly V[], preferred: V): V;
}

/** An operator: how it is lowered to kernels and differentiated. `A` is what its nodes carry besides tensors. */
export interface Operator<A = unknown> {
  readonly name: string;
  /** Emits the kernel launches that compute `node.outputs` from `node.inputs`. */
  lower(node: Node<A>, lowering: Lowering): void;
  /**
   * Adds to `graph` what computes the gradient with respect to each input, given the gradient of each output;
   * undefined where an input has none (indices, masks, frozen by nature).
   */
  gradient?(node: Node<A>, outputGradients: readonly Tensor[], graph: Graph): readonly (Tensor | undefined)[];
  /**
   * Accepts a following bias, activation or residual into its own store: gives the attributes and inputs of the fused
   * node, or undefined where it cannot.
   */
  fuse?(node: Node<A>, next: Node): { inputs: readonly Tensor[]; attributes: A } | undefined;
}

/** An application of an operator. */
export interface Node<A = unknown> {
  readonly operator: Operator<A>;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly attributes: A;
  /** Parameters among the inputs that it updates in place. */
  readonly updates: readonly Tensor[];
}

let nextTensorId = 0;

/** A static graph of shaped operators, built in the order of computation. Operators are added by the functions of `kernels/`. */
export class Graph {
  readonly nodes: Node[] = [];
  readonly inputs: Tensor[] = [];
  readonly parameters: Tensor[] = [];
  readonly outputs: Tensor[] = [];

  constructor(readonly name: string) {}

  /** Declares a tensor that the host writes before each run. */
  input(name: string, shape: Shape, dtype: DType = 'f32'): Tensor {
    const tensor = createTensor(name, shape, dtype, 'input');
    this.inputs.push(tensor);
    return tensor;
  }

  /** Declares a tensor that stays on the device between runs. */
  parameter(
    name: string,
    shape: Shape,
    options: { contents?: (() => HostTensor) | undefined; dtype?: DType; owner?: string } = {},
  ): Tensor {
    const tensor = createTensor(name, shape, options.dtype ?? 'f32', 'parameter', options.contents, options.owner);
    this.parameters.push(tensor);
    return tensor;
  }

  /** Adds a node and returns its outputs. */
  add<A>(
    operator: Operator<A>,
    inputs: readonly Tensor[],
    attributes: A,
    outputs: readonly { shape: Shape; dtype?: DType; name?: string }[],
    updates: readonly Tensor[] = [],
  ): Tensor[] {
    const made = outputs.map((output) =>
      createTensor(output.name ?? operator.name, output.shape, output.dtype ?? 'f32', 'value'),
    );
    this.nodes.push({ operator, inputs, outputs: made, attributes, updates });
    return made;
  }

  /** Like {@link add} for the common operator with one output. */
  apply<A>(
    operator: Operator<A>,
    inputs: readonly Tensor[],
    attributes: A,
    shape: Shape,
    dtype: DType = 'f32',
  ): Tensor {
    const [output] = this.add(operator, inputs, attributes, [{ shape, dtype }]);
    if (!output) throw new Error(`${operator.name} gave no output`);
    return output;
  }

  /** The same memory under another shape of as many elements. Costs nothing. */
  reshape(tensor: Tensor, shape: Shape): Tensor {
    if (elementCount(shape) !== elementCount(tensor.shape)) {
      throw new Error(`reshape ${tensor.name}: [${tensor.shape.join(', ')}] to [${shape.join(', ')}]`);
    }
    const view = createTensor(tensor.name, shape, tensor.dtype, 'value', undefined, tensor.owner, storage(tensor));
    this.nodes.push({
      operator: reshapeOperator,
      inputs: [tensor],
      outputs: [view],
      attributes: undefined,
      updates: [],
    });
    return view;
  }

  /** Marks a value as a result: it keeps memory of its own and can be read back. */
  output(tensor: Tensor): Tensor {
    if (!this.outputs.includes(tensor)) this.outputs.push(tensor);
    return tensor;
  }
}

/** Makes a tensor that belongs to no node yet; for the planner and {@link Graph}. */
export function createTensor(
  name: string,
  shape: Shape,
  dtype: DType,
  kind: TensorKind,
  contents?: () => HostTensor,
  owner = kind === 'parameter' ? 'weights' : 'activations',
  alias?: Tensor,
): Tensor {
  for (const size of shape) {
    if (!Number.isInteger(size) || size < 1) throw new Error(`tensor ${name}: impossible shape [${shape.join(', ')}]`);
  }
  return { id: nextTensorId++, name, shape, dtype, kind, contents, owner, alias };
}

/** The tensor of a binding. */
export function boundTensor(binding: Tensor | BufferView): Tensor {
  return 'tensor' in binding ? binding.tensor : binding;
}

/** The tensor that owns the memory behind `tensor`: itself, or what it is a view of. */
export function storage(tensor: Tensor): Tensor {
  return tensor.alias ?? tensor;
}

const reshapeOperator: Operator<undefined> = {
  name: 'reshape',
  lower: () => undefined,
  gradient: (node, [gradient], graph) => {
    const [input] = node.inputs;
    return [gradient && input ? graph.reshape(gradient, input.shape) : undefined];
  },
};
