import type { AdapterProfile } from './adapter.js';
import { TilesightError } from './errors.js';
import { fuseNodes } from './fusion.js';
import {
  boundTensor,
  createTensor,
  storage,
  type Dispatch,
  type Graph,
  type Lowering,
  type Node,
  type Tensor,
  type Variant,
} from './graph.js';
import { kernelInterface } from './kernel.js';
import { layOutBuffers, layOutRanges, type PlannedBuffer } from './layout.js';
import { allocationSize, formatBytes } from './memory.js';
import { hoistUpdates } from './schedule.js';
import { byteLength } from './tensor.js';

export type { PlannedBuffer };

/** Winners of measurements by `operator` and shape key; see `tuning.ts`. */
export type VariantTable = ReadonlyMap<string, string>;

/** How a graph is to be compiled. */
export interface PlanOptions {
  readonly adapter: AdapterProfile;
  /** Variants to force by operator: `{ conv2d: 'winograd4' }`. Where a variant cannot compute a shape it is not used. */
  readonly kernels?: Readonly<Record<string, string>>;
  /** Measured winners by `operator|shapeKey`. */
  readonly tuning?: VariantTable;
  /** Copies of the host's side of inputs and outputs, so that one can be filled while another computes. Default 1. */
  readonly slots?: number;
  /** Inputs that the host writes; default all. The others are filled on the device, by copies from other programs. */
  readonly hostInputs?: readonly Tensor[];
  /** Outputs that the host reads; default all. The others stay on the device for other programs. */
  readonly hostOutputs?: readonly Tensor[];
  /**
   * How values share memory: `buffers` gives one at a time a whole buffer, `ranges` lets several lie in one, which takes
   * fewer bytes and lets the device overlap fewer dispatches. Default `buffers`.
   */
  readonly layout?: 'buffers' | 'ranges';
}

/** A dispatch of a plan with the operator it belongs to. */
export interface Step extends Dispatch {
  readonly operator: string;
}

/** Bytes of a plan by what they are for. `total` is the exact device memory of a program made from it. */
export interface PlanBytes {
  readonly parameters: number;
  readonly activations: number;
  readonly inputs: number;
  readonly outputs: number;
  /** Staging and read-back memory of all slots. */
  readonly slots: number;
  readonly uniforms: number;
  readonly total: number;
}

/** A compiled graph: a flat list of dispatches over a few buffers. Made without a device. */
export interface Plan {
  readonly name: string;
  readonly adapter: AdapterProfile;
  readonly steps: readonly Step[];
  /** Buffers of intermediate values, shared by liveness. */
  readonly buffers: readonly PlannedBuffer[];
  readonly inputs: readonly Tensor[];
  readonly parameters: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly hostInputs: readonly Tensor[];
  readonly hostOutputs: readonly Tensor[];
  readonly slots: number;
  readonly bytes: PlanBytes;
  /** Arithmetic of one run. */
  readonly flops: number;
  /** Variants chosen, by operator and shape key. */
  readonly choices: ReadonlyMap<string, string>;
  /** Variants that could have been chosen, by the same keys: what `bench kernels` measures. */
  readonly alternatives: ReadonlyMap<string, readonly string[]>;
}

/** Compiles a graph: fuses, lowers to kernels, and lays values out in memory by liveness. */
export function compile(graph: Graph, options: PlanOptions): Plan {
  const { adapter } = options;
  const nodes = hoistUpdates(liveNodes(fuseNodes(graph), graph.outputs));
  const updated = new Set(nodes.flatMap((node) => node.updates));
  const steps: Step[] = [];
  const derived = new Map<string, Tensor>();
  const choices = new Map<string, string>();
  const alternatives = new Map<string, readonly string[]>();
  for (const node of nodes) {
    node.operator.lower(node, lowering(node));
  }

  function lowering(node: Node): Lowering {
    return {
      adapter,
      dispatch: (dispatch) => {
        checkDispatch(dispatch, adapter);
        steps.push({ ...dispatch, operator: node.operator.name });
      },
      temporary: (name, shape, dtype = 'f32') => createTensor(name, shape, dtype, 'value'),
      derived: (source, key, shape, compute, dtype = 'f32') => {
        const contents = source.contents;
        if (updated.has(source) || !contents) return undefined;
        const name = `${source.name}:${key}`;
        let tensor = derived.get(`${source.id}:${key}`);
        if (!tensor) {
          tensor = createTensor(name, shape, dtype, 'parameter', () => compute(contents()), source.owner);
          derived.set(`${source.id}:${key}`, tensor);
        }
        return tensor;
      },
      isConstant: (tensor) => tensor.contents !== undefined && !updated.has(tensor),
      choose: (operator, shapeKey, variants, preferred) => {
        const variant = chooseVariant(options, operator, shapeKey, variants, preferred);
        choices.set(`${operator}|${shapeKey}`, variant.name);
        alternatives.set(
          `${operator}|${shapeKey}`,
          variants.map(({ name }) => name),
        );
        return variant;
      },
    };
  }

  const used = [...new Set(steps.flatMap((step) => step.bindings.map((binding) => storage(boundTensor(binding)))))];
  const outputs = graph.outputs;
  const kept = new Set(outputs.map(storage));
  const buffers = options.layout === 'ranges' ? layOutRanges(steps, kept, adapter.limits) : layOutBuffers(steps, kept);
  const parameters = used.filter((tensor) => tensor.kind === 'parameter');
  const inputs = graph.inputs.filter((tensor) => used.includes(tensor) || kept.has(tensor));
  const slots = options.slots ?? 1;
  const hostInputs = (options.hostInputs ?? inputs).filter((tensor) => inputs.includes(tensor));
  const hostOutputs = options.hostOutputs ?? outputs;
  const sizes = (tensors: readonly Tensor[]): number =>
    tensors.reduce((sum, { shape, dtype }) => sum + allocationSize(byteLength(shape, dtype)), 0);
  const ownOutputs = [...kept].filter((tensor) => tensor.kind === 'value');
  const bytes = {
    parameters: sizes(parameters),
    activations: buffers.reduce((sum, buffer) => sum + buffer.bytes, 0),
    inputs: sizes(inputs),
    outputs: sizes(ownOutputs),
    slots: slots * (sizes(hostInputs) + sizes(hostOutputs)),
    uniforms: allocationSize(steps.length * uniformStride(adapter)),
  };
  return {
    name: graph.name,
    adapter,
    steps,
    buffers,
    inputs,
    parameters,
    outputs,
    hostInputs,
    hostOutputs,
    slots,
    bytes: { ...bytes, total: Object.values(bytes).reduce((sum, value) => sum + value, 0) },
    flops: steps.reduce((sum, step) => sum + (step.flops ?? 0), 0),
    choices,
    alternatives,
  };
}

/** Distance in bytes between the parameter blocks of two steps. */
export function uniformStride(adapter: AdapterProfile): number {
  return adapter.limits.minUniformBufferOffsetAlignment;
}

function chooseVariant<V extends Variant>(
  options: PlanOptions,
  operator: string,
  shapeKey: string,
  variants: readonly V[],
  preferred: V,
): V {
  const named = (name: string | undefined): V | undefined => variants.find((variant) => variant.name === name);
  return named(options.kernels?.[operator]) ?? named(options.tuning?.get(`${operator}|${shapeKey}`)) ?? preferred;
}

/** Nodes that an output or an in-place update depends on. */
function liveNodes(nodes: readonly Node[], outputs: readonly Tensor[]): Node[] {
  const needed = new Set<Tensor>(outputs);
  const live: Node[] = [];
  for (const node of [...nodes].reverse()) {
    if (node.updates.length === 0 && !node.outputs.some((output) => needed.has(output))) continue;
    for (const input of node.inputs) needed.add(input);
    live.push(node);
  }
  return live.reverse();
}

/** Refuses what no device of this profile can run, before anything is allocated. */
function checkDispatch(dispatch: Dispatch, adapter: AdapterProfile): void {
  const { name } = dispatch.kernel;
  const { limits } = adapter;
  const { bindings } = kernelInterface(dispatch.kernel);
  if (bindings.length !== dispatch.bindings.length) {
    throw new Error(`kernel ${name} has ${bindings.length} bindings, ${dispatch.bindings.length} were given`);
  }
  if (bindings.length > limits.maxStorageBuffersPerShaderStage) {
    throw new TilesightError(
      'device',
      `kernel ${name} needs ${bindings.length} storage buffers, the adapter has ${limits.maxStorageBuffersPerShaderStage}`,
    );
  }
  if (dispatch.workgroups.some((count) => count > limits.maxComputeWorkgroupsPerDimension)) {
    throw new TilesightError(
      'memory',
      `kernel ${name}: [${dispatch.workgroups.join(', ')}] workgroups pass the device's limit: use a smaller tile or batch`,
    );
  }
  for (const binding of dispatch.bindings) {
    const tensor = boundTensor(binding);
    const whole = byteLength(tensor.shape, tensor.dtype);
    const size = 'tensor' in binding ? (binding.sizeBytes ?? whole - (binding.offsetBytes ?? 0)) : whole;
    if (size > limits.maxStorageBufferBindingSize) {
      throw new TilesightError(
        'memory',
        `kernel ${name} binds ${tensor.name} with ${formatBytes(size)}, the device binds at most ` +
          `${formatBytes(limits.maxStorageBufferBindingSize)}: use a smaller tile or batch`,
      );
    }
  }
}
